"""Water, green, buildings and districts of an extract, in metres within its extent."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import shapely
from shapely.geometry import LineString, Polygon

from cityops.technology.geo.coordinates import LocalPlane
from cityops.twin.plan.model import Area, Buildings, Floats, Geometries, Name
from cityops.twin.plan.osm.read import Extract, Tags, shapes

STOREY = 3.2
RIVER_WIDTH = {"river": 16.0, "canal": 8.0}
"""Metres of width a river line gets where no area is mapped."""

HEIGHTS = {
    "house": 6.0,
    "detached": 6.0,
    "residential": 7.0,
    "terrace": 7.0,
    "garage": 3.0,
    "garages": 3.0,
    "shed": 3.0,
    "hut": 3.0,
    "industrial": 9.0,
    "warehouse": 9.0,
    "apartments": 17.0,
    "office": 20.0,
    "commercial": 14.0,
    "retail": 7.0,
    "church": 18.0,
    "public": 14.0,
    "hospital": 18.0,
    "school": 11.0,
}
"""Metres of height by `building` where the map gives neither height nor levels."""

USES = {
    "house": "residential",
    "detached": "residential",
    "residential": "residential",
    "terrace": "residential",
    "apartments": "residential",
    "dormitory": "residential",
    "industrial": "industrial",
    "warehouse": "industrial",
    "office": "office",
    "commercial": "commercial",
    "retail": "commercial",
    "hotel": "commercial",
    "church": "public",
    "public": "public",
    "hospital": "public",
    "school": "public",
    "university": "public",
    "train_station": "public",
    "farm": "village",
    "barn": "village",
}

Project = Callable[[Floats], Floats]


def projection(plane: LocalPlane) -> Project:
    """Return a function from (n, 2) degrees to (n, 2) metres."""

    def project(lonlat: Floats) -> Floats:
        return np.column_stack(plane.to_metres(lonlat[:, 0], lonlat[:, 1]))

    return project


def metres(hexes: list[str], project: Project) -> Geometries:
    """Return geometries of hexadecimal WKB in metres."""
    return np.asarray(shapely.transform(shapes(hexes), project), object).reshape(-1)


def water(extract: Extract, project: Project, extent: Polygon) -> list[Area]:
    """Return lakes, rivers and the sea within `extent`."""
    found = _areas(extract.water, project, extent)
    mapped = shapely.union_all([area.geometry for area in found])
    for lonlat, tags in extract.rivers:
        if len(lonlat) > 1 and tags.get("tunnel", "no") == "no":
            width = RIVER_WIDTH[tags["waterway"]]
            bed = LineString(project(lonlat)).buffer(width / 2).intersection(extent).difference(mapped)
            found += [Area("river", Name("", ""), part) for part in _polygons(bed) if part.area > 50]
    found += [Area("sea", Name("", ""), part) for part in sea(extract.coast, project, extent)]
    return found


def green(extract: Extract, project: Project, extent: Polygon) -> list[Area]:
    """Return parks, woods and pitches within `extent`."""
    return [area for area in _areas(extract.green, project, extent) if area.geometry.area > 150]


def _areas(rows: list[tuple[str, Name, str]], project: Project, extent: Polygon) -> list[Area]:
    if not rows:
        return []
    inside = shapely.intersection(metres([shape for *_, shape in rows], project), extent)
    return [
        Area(kind, name, part) for (kind, name, _), shape in zip(rows, inside, strict=True) for part in _polygons(shape)
    ]


def sea(coast: list[Floats], project: Project, extent: Polygon) -> list[Polygon]:
    """Return the faces of `extent` that lie to the right of coast lines: OSM draws them with the sea on that side.

    A face with a coast's land side in it too is left dry: the extract does not hold the whole shore.
    """
    lines = [LineString(project(lonlat)) for lonlat in coast if len(lonlat) > 1]
    shore = shapely.intersection(shapely.line_merge(shapely.MultiLineString(lines)), extent)
    parts = [part for part in shapely.get_parts(shore) if part.geom_type == "LineString" and part.length > 5]
    if not parts:
        return []
    right, left = [], []
    for part in parts:
        middle, ahead = (np.asarray(part.interpolate(part.length / 2 + d).coords[0]) for d in (-0.5, 0.5))
        x, y = 0.2 * (ahead - middle)
        right.append(shapely.Point(*((middle + ahead) / 2 + (y, -x))))
        left.append(shapely.Point(*((middle + ahead) / 2 + (-y, x))))
    faces = shapely.get_parts(shapely.polygonize([shapely.union_all([extent.boundary, *parts])]))
    return [
        face for face in faces if face.intersects(shapely.MultiPoint(right)) and face.disjoint(shapely.MultiPoint(left))
    ]


def buildings(extract: Extract, project: Project, extent: Polygon) -> Buildings:
    """Return footprints with height and use, from tags where given, else by kind and size."""
    if not extract.buildings:
        return Buildings(np.empty(0, object), np.empty(0), np.empty(0, "<U12"))
    geometry = metres(extract.buildings, project)
    area = shapely.area(geometry)
    keep = shapely.intersects(geometry, extent) & (area > 8) & np.isin(shapely.get_type_id(geometry), (3, 6))
    tags = [own for own, kept in zip(extract.building_tags, keep, strict=True) if kept]
    height = np.array([_height(own, float(size)) for own, size in zip(tags, area[keep], strict=True)])
    use = np.array([_use(own) for own in tags], "<U12")
    return Buildings(geometry[keep], height, use)


def _height(tags: Tags, area: float) -> float:
    if said := re.match(r"\d+(\.\d+)?", tags.get("height", "")):
        return float(np.clip(float(said[0]), 2.0, 850.0))
    if said := re.match(r"\d+(\.\d+)?", tags.get("building:levels", "")):
        return float(np.clip(float(said[0]) * STOREY, 2.5, 600.0))
    plain = 6.0 if area < 180 else 12.0 if area < 900 else 16.0
    return HEIGHTS.get(tags["building"], plain)


def _use(tags: Tags) -> str:
    if tags["building"] in USES:
        return USES[tags["building"]]
    if "office" in tags:
        return "office"
    if "shop" in tags:
        return "commercial"
    return "public" if "amenity" in tags else "residential"


def districts(extract: Extract, project: Project, extent: Polygon) -> list[tuple[Name, Polygon]]:
    """Return names and ground of the districts.

    Administrative areas of the level that comes nearest to eight of them and covers most of the extent; else the
    cells nearest to the mapped suburbs; else four quarters of the compass.
    """
    return _administrative(extract, project, extent) or _suburbs(extract, project, extent) or _quarters(extent)


def _administrative(extract: Extract, project: Project, extent: Polygon) -> list[tuple[Name, Polygon]]:
    best: list[tuple[Name, Polygon]] = []
    for level in {level for level, *_ in extract.divisions}:
        rows = [(name, shape) for own, name, shape in extract.divisions if own == level]
        grounds = shapely.intersection(metres([shape for _, shape in rows], project), extent)
        found = [
            (name, max(_polygons(ground), key=lambda part: part.area))
            for (name, _), ground in zip(rows, grounds, strict=True)
            if ground.area > 0.002 * extent.area
        ]
        covered = sum(ground.area for _, ground in found) / extent.area
        if 2 <= len(found) <= 40 and covered > 0.7 and (not best or abs(len(found) - 8) < abs(len(best) - 8)):
            best = found
    return best


def _suburbs(extract: Extract, project: Project, extent: Polygon) -> list[tuple[Name, Polygon]]:
    for kinds in (("borough", "suburb"), ("quarter",), ("neighbourhood",), ("town", "village")):
        rows = [(name, lon, lat) for kind, name, lon, lat, _ in extract.settlements if kind in kinds]
        if not rows:
            continue
        xy = project(np.array([(lon, lat) for _, lon, lat in rows]))
        inside = shapely.contains_xy(extent, xy)
        if not 2 <= inside.sum() <= 40:
            continue
        named = [name for (name, *_), there in zip(rows, inside, strict=True) if there]
        cells = shapely.voronoi_polygons(shapely.MultiPoint(xy[inside]), extend_to=extent, ordered=True)
        grounds = shapely.intersection(shapely.get_parts(cells), extent)
        return [(name, max(_polygons(g), key=lambda p: p.area)) for name, g in zip(named, grounds, strict=True)]
    return []


def _quarters(extent: Polygon) -> list[tuple[Name, Polygon]]:
    west, south, east, north = extent.bounds
    x, y = (west + east) / 2, (south + north) / 2
    return [
        (Name("西南片区", "South-West"), shapely.box(west, south, x, y)),
        (Name("东南片区", "South-East"), shapely.box(x, south, east, y)),
        (Name("西北片区", "North-West"), shapely.box(west, y, x, north)),
        (Name("东北片区", "North-East"), shapely.box(x, y, east, north)),
    ]


def _polygons(shape: shapely.Geometry) -> list[Polygon]:
    return [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon" and part.area > 1]
