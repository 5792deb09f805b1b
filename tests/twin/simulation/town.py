"""A town of 6 × 6 streets for tests, written as the plan builder writes a city: basemap, network, loops, zones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import shapely

from cityops.technology.geo.basemap import write_basemap
from cityops.technology.geo.coordinates import LocalPlane
from cityops.twin.plan import tables
from cityops.twin.plan.model import Buildings, CityPlan, District, Links, Name, Nodes, Place, Zone
from cityops.twin.plan.sumo import write_sumo

SIDE, BLOCK = 6, 260.0
POPULATION = 20_000


def town(*, name: str = "方城") -> CityPlan:
    """Return the plan: every third street is primary with two lanes each way, the others tertiary with one."""
    grid = (np.arange(SIDE) - (SIDE - 1) / 2) * BLOCK
    x, y = (axis.ravel() for axis in np.meshgrid(grid, grid))
    ends = [(n, n + 1, n // SIDE) for n in range(SIDE**2) if (n + 1) % SIDE]
    ends += [(n, n + SIDE, n % SIDE) for n in range(SIDE**2 - SIDE)]
    both = np.array([*ends, *((b, a, line) for a, b, line in ends)])
    start, stop, line = both.T.astype(np.int32)
    main = line % 3 == 1
    lines = np.asarray(shapely.linestrings(np.stack([np.c_[x[start], y[start]], np.c_[x[stop], y[stop]]], 1)), object)
    signal = np.zeros(SIDE**2, bool)
    signal[[SIDE + 1, SIDE + 4, 4 * SIDE + 1, 4 * SIDE + 4]] = True
    half = BLOCK * SIDE / 2
    return CityPlan(
        id="square",
        name=Name(name, "Square Town"),
        division_code="421400",
        timezone="Asia/Shanghai",
        population=POPULATION,
        source="test",
        plane=LocalPlane(113.3, 30.2),
        extent=(-half, -half, half, half),
        names=[Name("一号路", "First Road")],
        nodes=Nodes(x, y, signal),
        links=Links(
            from_node=start,
            to_node=stop,
            highway=np.where(main, "primary", "tertiary"),
            name=np.zeros(len(start), np.int32),
            lanes=np.where(main, 2, 1).astype(np.uint8),
            speed_kmh=np.where(main, 60.0, 40.0),
            oneway=np.zeros(len(start), bool),
            level=np.zeros(len(start), np.int8),
            district=np.zeros(len(start), np.int32),
            geometry=lines,
        ),
        buildings=Buildings(np.empty(0, object), np.empty(0), np.empty(0, "<U8")),
        water=[],
        green=[],
        places=_places(np.flatnonzero(main), np.flatnonzero(signal), lines, x, y),
        districts=[District("421402", Name("城中区", "Centre"), shapely.box(-half, -half, half, half), POPULATION)],
        zones=_zones(start, x, y),
    )


def write_town(folder: Path, *, name: str = "方城") -> None:
    """Write the town as a city folder, without map tiles."""
    plan = town(name=name)
    write_basemap(folder, tables.city(plan), tables.links(plan), tables.places(plan), tables.districts(plan))
    write_sumo(plan, folder / "sumo")


def _places(main: np.ndarray, signal: np.ndarray, lines: np.ndarray, x: np.ndarray, y: np.ndarray) -> list[Place]:
    def at(kind: str, number: int, east: float, north: float, link: int = -1, **attrs: object) -> Place:
        name = Name(f"{kind}{number}", f"{kind} {number}")
        return Place(f"{kind[:3].upper()}{number:02d}", kind, name, east, north, 0, link, attrs)

    middles = shapely.get_coordinates(shapely.line_interpolate_point(lines, 0.5, normalized=True))
    places = [at("detector", n + 1, *middles[row], int(row)) for n, row in enumerate(main)]
    places += [at("camera", n + 1, *middles[row], int(row)) for n, row in enumerate(main[::4])]
    places += [at("signal", n + 1, x[row], y[row], node_id=f"N{row + 1:05d}") for n, row in enumerate(signal)]
    places += [at("air_station", 1, 100.0, 100.0), at("weather_station", 1, 0.0, 300.0)]
    places += [at("construction_site", 1, -300.0, 200.0, hectares=1.5)]
    places += [at("police_station", 1, 50.0, 50.0), at("fire_station", 1, -200.0, -200.0, engines=1)]
    return [*places, at("hospital", 1, 400.0, -100.0)]


def _zones(start: np.ndarray, x: np.ndarray, y: np.ndarray) -> list[Zone]:
    """Return nine zones of two by two blocks; people live at the edge and work in the middle."""
    zones = []
    for row in range(3):
        for column in range(3):
            nodes = [SIDE * i + j for i in (2 * row, 2 * row + 1) for j in (2 * column, 2 * column + 1)]
            links = np.flatnonzero(np.isin(start, nodes)).astype(np.int32)
            middle = row == column == 1
            homes, jobs = (500.0, 6000.0) if middle else ((POPULATION - 500) / 8, 500.0)
            zones.append(
                Zone(f"Z{len(zones) + 1:02d}", float(x[nodes].mean()), float(y[nodes].mean()), homes, jobs, links)
            )
    return zones
