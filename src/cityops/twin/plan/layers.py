"""The map layers of a plan: what is drawn from which zoom on, into the city's tiles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely

from cityops.technology.tiles.tippecanoe import Layer, make_tiles
from cityops.twin.plan.model import Area, CityPlan, Geometries, Name
from cityops.twin.plan.tables import spoken

MINZOOM, MAXZOOM = 9, 14

ROAD_ZOOM = {
    "motorway": 9,
    "trunk": 9,
    "primary": 9,
    "secondary": 10,
    "tertiary": 11,
    "motorway_link": 11,
    "trunk_link": 11,
    "residential": 11,
    "service": 13,
}
BUILDING_ZOOM = 13
PLACE_ZOOM = {"hospital": 11, "government": 11, "air_station": 9, "weather_station": 11, "bridge": 11}
QUIET_PLACES = frozenset({"detector", "signal", "camera"})
"""Kinds with hundreds of members, in the tiles only from street level on."""


def write_tiles(plan: CityPlan, archive: Path) -> None:
    """Write the plan's layers as PMTiles into `archive`. Raises TilesError."""
    layers = [_water(plan), _green(plan), _districts(plan), _roads(plan), _buildings(plan), _places(plan)]
    layers += [_point_labels(plan), _road_labels(plan)]
    full = [layer for layer in layers if len(layer.geometry)]
    make_tiles(full, archive, minzoom=MINZOOM, maxzoom=MAXZOOM, name=plan.name.zh)


def _roads(plan: CityPlan) -> Layer:
    links = plan.links
    zh, en = spoken(plan.names)
    highway = links.highway.tolist()
    return Layer(
        "road",
        plan.to_degrees(links.geometry),
        {
            "link_id": links.ids,
            "name_zh": zh[links.name],
            "name_en": en[links.name],
            "highway": highway,
            "lanes": links.lanes.tolist(),
            "oneway": links.oneway.tolist(),
            "level": links.level.tolist(),
        },
        [ROAD_ZOOM[kind] for kind in highway],
        ids=np.arange(1, len(links) + 1, dtype=np.uint32),
    )


def _water(plan: CityPlan) -> Layer:
    return _areas("water", plan, plan.water)


def _green(plan: CityPlan) -> Layer:
    return _areas("green", plan, plan.green)


def _areas(layer: str, plan: CityPlan, areas: Sequence[Area]) -> Layer:
    geometry = np.asarray([area.geometry for area in areas], object)
    size = shapely.area(geometry)
    return Layer(
        layer,
        plan.to_degrees(geometry),
        {
            "kind": [area.kind for area in areas],
            "name": [area.name.zh for area in areas],
            "name_zh": [area.name.zh for area in areas],
            "name_en": [area.name.en for area in areas],
        },
        np.select([size > 100_000, size > 10_000], [9, 11], 13),
    )


def _districts(plan: CityPlan) -> Layer:
    return Layer(
        "district",
        plan.to_degrees(np.asarray([district.geometry for district in plan.districts], object)),
        {
            "district_id": [district.id for district in plan.districts],
            "name": [district.name.zh for district in plan.districts],
            "name_zh": [district.name.zh for district in plan.districts],
            "name_en": [district.name.en for district in plan.districts],
        },
        [MINZOOM] * len(plan.districts),
    )


def _buildings(plan: CityPlan) -> Layer:
    buildings = plan.buildings
    return Layer(
        "building",
        plan.to_degrees(buildings.geometry),
        {"height": buildings.height.round(1).tolist(), "use": buildings.use.tolist()},
        [BUILDING_ZOOM] * len(buildings),
    )


def _places(plan: CityPlan) -> Layer:
    kinds = [place.kind for place in plan.places]
    return Layer(
        "place",
        plan.to_degrees(_points([(place.x, place.y) for place in plan.places])),
        {
            "place_id": [place.id for place in plan.places],
            "kind": kinds,
            "name_zh": [place.name.zh for place in plan.places],
            "name_en": [place.name.en for place in plan.places],
        },
        [14 if kind in QUIET_PLACES else PLACE_ZOOM.get(kind, 12) for kind in kinds],
    )


def _point_labels(plan: CityPlan) -> Layer:
    """Return names that stand at a point: districts, rivers and lakes, large parks."""
    rows: list[tuple[shapely.Geometry, str, Name, int]] = [
        (district.geometry.representative_point(), "district", district.name, MINZOOM) for district in plan.districts
    ]
    for kind, areas in (("water", plan.water), ("green", plan.green)):
        named = [area for area in areas if area.name.zh]
        rows += [
            (area.geometry.representative_point(), kind, area.name, 10 if area.geometry.area > 500_000 else 12)
            for area in named
        ]
    return Layer(
        "label",
        plan.to_degrees(np.asarray([point for point, *_ in rows], object)),
        {
            "kind": [kind for _, kind, _, _ in rows],
            "name_zh": [name.zh for _, _, name, _ in rows],
            "name_en": [name.en for _, _, name, _ in rows],
        },
        [zoom for *_, zoom in rows],
    )


def _road_labels(plan: CityPlan) -> Layer:
    """Return one line a road name, joined over its links so that a label finds room (kind `road`)."""
    links = plan.links
    named = np.asarray([bool(name.zh) for name in plan.names])[links.name]
    forward = named & (links.oneway | (links.from_node < links.to_node))
    zh, en = spoken(plan.names)
    lines, names, classes = [], [], []
    for name in np.unique(links.name[forward]):
        rows = np.flatnonzero(forward & (links.name == name))
        merged = shapely.line_merge(shapely.multilinestrings(links.geometry[rows]))
        kinds, counts = np.unique(links.highway[rows], return_counts=True)
        for line in shapely.get_parts(merged):
            lines.append(line)
            names.append(name)
            classes.append(str(kinds[counts.argmax()]))
    return Layer(
        "label",
        plan.to_degrees(np.asarray(lines, object)),
        {"kind": ["road"] * len(lines), "highway": classes, "name_zh": zh[names], "name_en": en[names]},
        [max(ROAD_ZOOM[kind] + 1, 10) for kind in classes],
    )


def _points(xy: Sequence[tuple[float, float]]) -> Geometries:
    return np.asarray(shapely.points(np.asarray(xy, np.float64).reshape(-1, 2)), object)
