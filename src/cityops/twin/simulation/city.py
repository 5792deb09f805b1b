"""What the simulators know of a city folder: streets that traffic can use, places of devices, zones of demand."""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from cityops.technology.geo.basemap import Basemap
from cityops.technology.geo.coordinates import LocalPlane
from cityops.twin.simulation.network import simulated_network
from cityops.twin.simulation.timing import zone_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Strings = npt.NDArray[np.object_]

LOOPS = "sumo/detectors.add.xml"
ZONES = "sumo/zones.parquet"

_PROJECTION = re.compile(rb"<location [^>]*projParameter=\"([^\"]*)\"")
_CONNECTION = re.compile(rb"<connection from=\"([^\":]+)\" to=\"([^\":]+)\"")
_LOOP = re.compile(r"<inductionLoop id=\"([^\"]+)\" lane=\"([^\"]+)\" pos=\"([^\"]+)\"")
_LAT = re.compile(r"\+lat_0=([-+.\de]+)")
_LON = re.compile(r"\+lon_0=([-+.\de]+)")
_LOCAL_STREETS = ("residential", "tertiary", "unclassified", "living_street", "secondary", "service")


class CityError(ValueError):
    """A city folder the simulators cannot use; says which file and why."""


@dataclass(frozen=True)
class Streets:
    """Directed links, one place in every array a link; metres on the plane of the traffic network.

    `usable` links can be reached from one another: trips begin and end on them. `leads_to` are pairs of rows: from the
    first one can turn into the second.
    """

    ids: Strings
    highway: Strings
    lanes: Ints
    length: Floats
    speed: Floats  # m/s, free
    x: Floats
    y: Floats
    toward: Floats  # unit vectors of the direction of travel, shape (n, 2)
    usable: Bools
    leads_to: Ints

    @cached_property
    def index(self) -> dict[str, int]:
        """Place in the arrays by link id."""
        return {link: row for row, link in enumerate(self.ids)}

    def nearest(self, x: float, y: float, count: int = 1, within: Collection[str] = ()) -> Ints:
        """Return the rows of the usable links nearest to a point, of the road classes `within` when there are such."""
        able = self.usable & np.isin(self.highway, list(within)) if within else self.usable
        rows = np.flatnonzero(able if able.any() else self.usable)
        return rows[np.argsort(np.hypot(self.x[rows] - x, self.y[rows] - y), kind="stable")[:count]]


@dataclass(frozen=True)
class Site:
    """A place of the city: a device, a station, a building site."""

    id: str
    kind: str
    name: str
    lon: float
    lat: float
    x: float
    y: float
    link: str
    district: str
    attrs: Mapping[str, object]


@dataclass(frozen=True)
class Loop:
    """An induction loop on one lane, `position` metres from the lane's start."""

    id: str
    lane: str
    position: float


@dataclass(frozen=True)
class Zones:
    """Neighbourhoods of travel demand; `links[i]` are rows of Streets on which trips of zone i begin and end."""

    x: Floats
    y: Floats
    residents: Floats
    jobs: Floats
    links: list[Ints]

    def __len__(self) -> int:
        return len(self.x)

    def of_links(self, count: int) -> Ints:
        """Return the zone of each of `count` links, -1 for none."""
        zones = np.full(count, -1, np.int64)
        for number, rows in enumerate(self.links):
            zones[rows] = number
        return zones


@dataclass(frozen=True)
class SimulatedCity:
    """A city as the simulators need it."""

    name: str
    population: int
    longitude: float
    latitude: float
    zone: tzinfo
    plane: LocalPlane
    network: Path
    streets: Streets
    sites: list[Site]
    loops: list[Loop]
    zones: Zones

    def sites_of(self, kind: str) -> list[Site]:
        """Return the sites of one kind, in file order."""
        return [site for site in self.sites if site.kind == kind]


def open_city(folder: Path) -> SimulatedCity:
    """Return the city in `folder`. Raises BasemapError, CityError, NetworkError."""
    basemap = Basemap.open(folder)
    network = simulated_network(folder, len(basemap.links))
    plane, connections = _network(network)
    streets = _streets(basemap, plane, connections)
    if not streets.usable.any():
        raise CityError(f"{network}: no two links lead to one another; build the city anew")
    lon, lat = basemap.city.center
    return SimulatedCity(
        name=basemap.city.name["zh"],
        population=basemap.city.population,
        longitude=lon,
        latitude=lat,
        zone=zone_of(basemap.city.timezone, lon),
        plane=plane,
        network=network,
        streets=streets,
        sites=_sites(basemap, plane),
        loops=_loops(folder / LOOPS),
        zones=_zones(folder / ZONES, streets, plane, basemap.city.population),
    )


def _network(path: Path) -> tuple[LocalPlane, list[tuple[str, str]]]:
    """Return the plane of the network and which edge leads to which (ids of links)."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            projection = _PROJECTION.search(text)
            said = projection.group(1).decode() if projection else ""
            connections = [(a.decode(), b.decode()) for a, b in _CONNECTION.findall(text)]
    except (OSError, ValueError) as error:
        raise CityError(f"{path}: no traffic network ({error}); build the city anew") from error
    lat, lon = _LAT.search(said), _LON.search(said)
    if "+proj=tmerc" not in said or not lat or not lon:
        raise CityError(f"{path}: projection {said!r}; a transverse Mercator plane with lat_0 and lon_0 is wanted")
    return LocalPlane(float(lon.group(1)), float(lat.group(1))), connections


def _streets(basemap: Basemap, plane: LocalPlane, connections: list[tuple[str, str]]) -> Streets:
    links = basemap.links
    ids = np.asarray(links["link_id"].to_pylist(), object)
    x, y = plane.to_metres(*basemap.link_midpoints.T)
    ends = np.array([(line.coords[0], line.coords[-1]) for line in basemap.link_geometries]).reshape(-1, 2, 2)
    starts = np.column_stack(plane.to_metres(ends[:, 0, 0], ends[:, 0, 1]))
    stops = np.column_stack(plane.to_metres(ends[:, 1, 0], ends[:, 1, 1]))
    way = stops - starts
    index = basemap.link_index
    pairs = np.unique([(index[a], index[b]) for a, b in connections if a in index and b in index], axis=0)
    pairs = pairs.astype(np.int64).reshape(-1, 2)
    return Streets(
        ids=ids,
        highway=np.asarray(links["highway"].to_pylist(), object),
        lanes=links["lanes"].to_numpy().astype(np.int64),
        length=links["length_m"].to_numpy(),
        speed=links["free_speed_kmh"].to_numpy() / 3.6,
        x=x,
        y=y,
        toward=way / np.maximum(np.hypot(way[:, 0], way[:, 1]), 1e-6)[:, None],
        usable=_mutually_reachable(len(ids), pairs),
        leads_to=pairs,
    )


def _mutually_reachable(count: int, pairs: Ints) -> Bools:
    """Return which of `count` links belong to the largest set that lead to one another, as seen from a few links."""
    best = np.zeros(count, bool)
    for start in pairs[np.linspace(0, len(pairs) - 1, 7).astype(int), 0] if len(pairs) else ():
        if not best[start]:
            both = _reached(pairs, start, count) & _reached(pairs[:, ::-1], start, count)
            best = both if both.sum() > best.sum() else best
    return best


def _reached(pairs: Ints, start: int, count: int) -> Bools:
    order = np.argsort(pairs[:, 0], kind="stable")
    bounds = np.searchsorted(pairs[order, 0], np.arange(count + 1))
    targets, seen, front = pairs[order, 1], np.zeros(count, bool), [int(start)]
    seen[start] = True
    while front:
        found = np.concatenate([targets[bounds[link] : bounds[link + 1]] for link in front])
        front = np.unique(found[~seen[found]]).tolist()
        seen[front] = True
    return seen


def _sites(basemap: Basemap, plane: LocalPlane) -> list[Site]:
    rows = basemap.places.to_pylist()
    x, y = plane.to_metres([row["lon"] for row in rows], [row["lat"] for row in rows])
    return [
        Site(
            id=row["place_id"],
            kind=row["kind"],
            name=row["name_zh"],
            lon=row["lon"],
            lat=row["lat"],
            x=float(east),
            y=float(north),
            link=row["link_id"],
            district=row["district_id"],
            attrs=json.loads(row["attrs"] or "{}"),
        )
        for row, east, north in zip(rows, x, y, strict=True)
    ]


def _loops(path: Path) -> list[Loop]:
    if not path.is_file():
        return []
    return [Loop(name, lane, float(position)) for name, lane, position in _LOOP.findall(path.read_text("utf-8"))]


def _zones(path: Path, streets: Streets, plane: LocalPlane, population: int) -> Zones:
    """Return the zones of the folder with the usable links of each; a city without any gets squares of streets."""
    rows = pq.read_table(path).to_pylist() if path.is_file() else []
    if len(rows) < 2:
        return zones_of_streets(streets, population)
    index = streets.index
    x, y = plane.to_metres([row["lon"] for row in rows], [row["lat"] for row in rows])
    links = []
    for row, east, north in zip(rows, x, y, strict=True):
        known = np.array([index[link] for link in row["link_ids"] if link in index], np.int64)
        usable = known[streets.usable[known]]
        links.append(usable if usable.size else streets.nearest(float(east), float(north), 6))
    return Zones(x, y, np.array([row["residents"] for row in rows]), np.array([row["jobs"] for row in rows]), links)


def zones_of_streets(streets: Streets, population: int, width: float = 800.0) -> Zones:
    """Return squares `width` m wide in which people live along small streets and work near junctions of large ones."""
    local = streets.usable & np.isin(streets.highway, _LOCAL_STREETS)
    rows = np.flatnonzero(local if local.any() else streets.usable)
    squares = np.floor(np.column_stack((streets.x[rows], streets.y[rows])) / width)
    cells, cell = np.unique(squares, axis=0, return_inverse=True)
    links = [rows[cell == n] for n in range(len(cells))]
    homes = np.array([streets.length[group].sum() for group in links])
    shops = np.array([(streets.length[group] * streets.speed[group] * streets.lanes[group]).sum() for group in links])
    return Zones(
        x=np.array([streets.x[group].mean() for group in links]),
        y=np.array([streets.y[group].mean() for group in links]),
        residents=homes / homes.sum() * population,
        jobs=shops / shops.sum() * population * 0.5,
        links=links,
    )
