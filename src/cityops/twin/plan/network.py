"""The road network of a plan: streets at grade and expressways above, as directed links between junctions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import LineString, Polygon
from shapely.ops import split, substring

from cityops.twin.plan.blocks import Cutter
from cityops.twin.plan.draft import Street
from cityops.twin.plan.expressways import Air, interchanges, landings, raise_expressways
from cityops.twin.plan.model import Bools, Floats, Geometries, Ints, Strings
from cityops.twin.plan.skeleton import Skeleton
from cityops.twin.plan.terrain import Terrain
from cityops.twin.plan.web import Web, knit, largest_component, prune, reach_on, weave
from cityops.twin.plan.zoning import Zoning

SPEED_KMH = {
    "motorway": 100.0,
    "trunk": 80.0,
    "primary": 60.0,
    "secondary": 50.0,
    "tertiary": 40.0,
    "residential": 30.0,
    "service": 20.0,
    "motorway_link": 50.0,
    "trunk_link": 40.0,
}
"""Speed limits by class (CJJ 37-2012, table 3.2.1: expressway 60–100, arterial 40–60, collector 30–50, local 20–40)."""

LANES = {"motorway": 3, "trunk": 3, "primary": 3, "secondary": 2, "tertiary": 1, "residential": 1, "service": 1}
"""Lanes in one direction by class, for streets at grade."""

SHORTEST = 24.0
"""Metres below which a piece of street is drawn together into one junction."""


@dataclass(frozen=True)
class Network:
    """Directed links, row by row, with their streets; the superblocks they grew from and the blocks between them."""

    xy: Floats
    from_node: Ints
    to_node: Ints
    line: Geometries
    highway: Strings
    lanes: Ints
    oneway: Bools
    level: Ints
    owner: Ints
    streets: tuple[Street, ...]
    signal: Bools
    faces: Geometries
    styles: Strings
    blocks: Geometries
    corridor: shapely.Geometry


def build_network(land: Terrain, frame: Skeleton, zoning: Zoning, rng: np.random.Generator) -> Network:
    """Return the road network grown on the frame; every junction can be reached from every other."""
    streets = list(frame.draft.streets)
    limits = land.limits.boundary.buffer(25.0)
    corridor = frame.corridor
    web = prune(weave(frame.draft.lines, frame.draft.owners, _ranks(streets)), limits, 60.0)
    blocked = shapely.union_all([land.water.buffer(20.0), *land.hills, corridor.buffer(-5.0)])
    web = reach_on(web, blocked, limits, 450.0)
    web = knit(list(web.line), web.owner.tolist(), _ranks(streets), 1.3 * SHORTEST)
    web = prune(web, limits)
    faces = _faces(web, land)
    styles = zoning.styles(faces, corridor)
    lines, owners = list(web.line), list(web.owner)
    cutter = Cutter(web.xy, rng)
    open_land = shapely.union_all([*land.hills, land.water]).buffer(12.0)
    for face, style in zip(faces, styles, strict=True):
        for ground in _dry(face, open_land):
            for cut in cutter.cut(ground, str(style))[0]:
                owners.append(len(streets))
                streets.append(Street("local", cut.highway, 6 if cut.highway == "tertiary" else 7))
                lines.append(cut.line)
    for lane in frame.lanes:
        owners.append(len(streets))
        streets.append(Street("lane", "residential", 7))
        lines.append(lane)
    rings = [way for way in frame.expressways if way.ring]
    exits = [way for way in frame.expressways if not way.ring]
    crossing = _crossing_streets(web, streets)
    joints = {way.owner: interchanges(way, crossing, exits) for way in rings}
    lines, owners = _cut_at_landings(
        lines, owners, streets, [p for way in rings for p in landings(way, joints[way.owner])]
    )
    ranks = _ranks(streets)
    web = prune(knit(lines, owners, ranks, SHORTEST), None, SHORTEST)
    air = Air(web.xy)
    frontage = _nodes_of(web, streets, "frontage")
    ways = [(way, streets[way.owner].highway, joints.get(way.owner, [])) for way in frame.expressways]
    if len(frontage):
        raise_expressways(air, ways, frontage)
    return _assembled(web, air, streets, land, faces, styles, corridor, rng)


def _assembled(
    web: Web,
    air: Air,
    streets: list[Street],
    land: Terrain,
    faces: Geometries,
    styles: Strings,
    corridor: shapely.Geometry,
    rng: np.random.Generator,
) -> Network:
    highways = np.array([street.highway for street in streets], "<U16")
    classes = highways[web.owner]
    lanes = np.array([LANES[h] for h in classes])
    lanes[np.array([streets[n].kind == "frontage" for n in web.owner])] = 2
    pieces = air.pieces
    start = np.concatenate([web.a, web.b, [p.start for p in pieces]]).astype(np.int32)
    end = np.concatenate([web.b, web.a, [p.end for p in pieces]]).astype(np.int32)
    line = np.concatenate([web.line, shapely.reverse(web.line), np.asarray([p.line for p in pieces], object)])
    highway = np.concatenate([classes, classes, np.array([p.highway for p in pieces], "<U16")])
    owner = np.concatenate([web.owner, web.owner, [p.owner for p in pieces]]).astype(np.int32)
    all_lanes = np.concatenate([lanes, lanes, [p.lanes for p in pieces]]).astype(np.int32)
    oneway = np.arange(len(start)) >= 2 * len(web)
    xy = np.vstack([web.xy, *air.xy]) if air.xy else web.xy
    good = largest_component(len(xy), start, end, directed=True)
    rows = good[start] & good[end]
    level = (shapely.intersects(line, land.water.buffer(-3.0)) | (oneway & ~np.char.endswith(highway, "_link"))).astype(
        np.int32
    )
    renumber = np.cumsum(good) - 1
    signal = np.zeros(len(xy), bool)
    signal[: len(web.xy)] = signals(web, classes, rng)
    blocks = np.asarray(shapely.get_parts(shapely.polygonize(web.line)), object)
    return Network(
        xy[good],
        renumber[start[rows]].astype(np.int32),
        renumber[end[rows]].astype(np.int32),
        line[rows],
        highway[rows],
        all_lanes[rows],
        oneway[rows],
        level[rows],
        owner[rows],
        tuple(streets),
        signal[good],
        faces,
        styles,
        blocks,
        corridor,
    )


def signals(web: Web, classes: Strings, rng: np.random.Generator) -> Bools:
    """Return at which junctions traffic lights stand.

    Where streets of at least secondary class cross or meet three arms of them, or where a tertiary street crosses one;
    at a third of the places where it only ends at one, and of the crossings of tertiary streets; not within 70 m along
    a street of another light at a greater crossing.
    """
    weight = {"primary": 4, "secondary": 3, "tertiary": 2, "residential": 1}
    strength = np.array([weight.get(str(c), 0) for c in classes])
    arms = np.zeros((len(web.xy), 5), np.int32)
    np.add.at(arms, (web.a, strength), 1)
    np.add.at(arms, (web.b, strength), 1)
    great, middling = arms[:, 3:].sum(1), arms[:, 2:].sum(1)
    some = rng.random(len(web.xy)) < 0.35
    lights = (great >= 3) | ((great >= 2) & (middling >= 4)) | ((great >= 1) & (middling >= 3) & some)
    lights |= (middling >= 4) & some
    score = arms @ np.array([0, 1, 3, 10, 30])
    close = lights[web.a] & lights[web.b] & (shapely.length(web.line) < 70.0)
    for a, b in zip(web.a[close], web.b[close], strict=True):
        if lights[a] and lights[b]:
            lights[a if score[a] < score[b] else b] = False
    return np.asarray(lights, np.bool_)


def _faces(web: Web, land: Terrain) -> Geometries:
    faces = np.asarray(shapely.get_parts(shapely.polygonize(web.line)), object)
    wet = shapely.area(shapely.intersection(faces, land.water))
    return np.asarray(faces[(shapely.area(faces) > 1500.0) & (wet < 0.35 * shapely.area(faces))], object)


def _dry(face: Polygon, water_and_hills: shapely.Geometry) -> list[Polygon]:
    """Return the parts of a superblock that can be built on."""
    if not face.intersects(water_and_hills):
        return _without_holes(face)
    parts = shapely.get_parts(face.difference(water_and_hills))
    parts = [part for part in parts if part.geom_type == "Polygon" and part.area > 15_000]
    return [Polygon(piece.exterior) for part in parts for piece in _without_holes(part)]


def _without_holes(part: Polygon) -> list[Polygon]:
    """Return a polygon cut through its holes' middles until it has none."""
    if not part.interiors:
        return [part]
    west, south, east, north = part.bounds
    x, y = shapely.centroid(Polygon(part.interiors[0])).coords[0]
    cut = [(x, south - 1), (x, north + 1)] if north - south < east - west else [(west - 1, y), (east + 1, y)]
    halves = [half for half in split(part, LineString(cut)).geoms if half.area > 15_000]
    return [piece for half in halves for piece in _without_holes(half)]


def _crossing_streets(web: Web, streets: Sequence[Street]) -> list[tuple[int, LineString]]:
    kinds = {"axis", "radial", "grid", "ring"}
    return [
        (streets[owner].rank, line)
        for owner, line in zip(web.owner, web.line, strict=True)
        if streets[owner].kind in kinds
    ]


def _cut_at_landings(
    lines: list[LineString], owners: list[int], streets: Sequence[Street], points: list[shapely.Point]
) -> tuple[list[LineString], list[int]]:
    """Return the lines with frontage roads cut where ramps land, so that junctions come to be there."""
    frontage = [n for n, owner in enumerate(owners) if streets[owner].kind == "frontage"]
    if not frontage or not points:
        return lines, owners
    tree = shapely.STRtree([lines[n] for n in frontage])
    stops: dict[int, list[float]] = {}
    for point, found in zip(*tree.query(points, predicate="dwithin", distance=12.0), strict=True):
        stops.setdefault(frontage[found], []).append(lines[frontage[found]].project(points[point]))
    cut_lines, cut_owners = [], []
    for n, (line, owner) in enumerate(zip(lines, owners, strict=True)):
        ends = [0.0, *sorted(s for s in stops.get(n, []) if SHORTEST < s < line.length - SHORTEST), line.length]
        for start, end in pairwise(ends):
            cut_lines.append(substring(line, start, end))
            cut_owners.append(owner)
    return cut_lines, cut_owners


def _nodes_of(web: Web, streets: Sequence[Street], kind: str) -> list[int]:
    rows = np.array([streets[owner].kind == kind for owner in web.owner])
    return [int(n) for n in np.unique(np.concatenate([web.a[rows], web.b[rows]]))]


def _ranks(streets: Sequence[Street]) -> npt.NDArray[np.int_]:
    return np.array([street.rank for street in streets])
