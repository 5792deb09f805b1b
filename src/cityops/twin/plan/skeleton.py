"""The city's frame: expressway rings, axes over the bridges, quays, radials, and a bent grid on every bank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
import shapely.ops
from shapely.geometry import LineString, Point, Polygon

from cityops.twin.plan.curves import Warp, closed, resample, rotate
from cityops.twin.plan.draft import OVERSHOOT, Draft, Street
from cityops.twin.plan.terrain import Terrain

FRONTAGE_OFFSET = 44.0
"""Metres from an expressway's middle to the frontage road on either side."""
QUAY_OFFSET = 38.0
BLOCK = 470.0
"""Spacing of the grid in metres; every third line is a primary road."""


@dataclass(frozen=True)
class Expressway:
    """A grade-separated road: its middle line, whether it is a ring, and its street in the draft."""

    line: LineString
    owner: int
    ring: bool


@dataclass(frozen=True)
class Skeleton:
    """The frame of streets: the at-grade draft, the expressways over it, the built-up outline."""

    draft: Draft
    expressways: tuple[Expressway, ...]
    urban: Polygon
    lanes: tuple[LineString, ...]
    """Village lanes off the country roads; they end blind, so they join the network after its stubs are pruned."""

    @property
    def corridor(self) -> shapely.Geometry:
        """The ground between the frontage roads of all expressways."""
        return shapely.union_all([way.line.buffer(FRONTAGE_OFFSET, cap_style="flat") for way in self.expressways])


def ring_radii(radius: float) -> list[float]:
    """Return the radii of the ring roads of a city of `radius` metres, inner first: the outermost is the motorway."""
    radii = [min(1350.0, 0.42 * radius)]
    while radii[-1] * 1.25 + 1100.0 < 0.8 * radius:
        radii.append(radii[-1] * 1.25 + 1100.0)
    return [*radii, 0.94 * radius]


def draw_skeleton(land: Terrain, rng: np.random.Generator) -> Skeleton:
    """Return the frame of a city on `land`."""
    draft = Draft()
    warp = Warp.random(rng, amplitude=0.022 * land.radius, wavelength=0.9 * land.radius)
    urban = Polygon(rotate(closed(land.radius, rng, amplitude=0.05, exponent=2.6, stretch=1.1), land.flow))
    dry = shapely.union_all([land.water.buffer(QUAY_OFFSET - 12), *land.hills])
    wide = shapely.union_all([land.river_area.buffer(QUAY_OFFSET - 12), *land.lakes, *land.hills])
    rings = _rings(land, rng)
    expressways = [_expressway(draft, n, ring, len(rings)) for n, ring in enumerate(rings) if n]
    for way in expressways:
        _frontage(draft, way, dry)
    _quays(draft, land, urban)  # before all that could cut a shore road short
    _axes(draft, land, warp)
    _small_bridges(draft, land, urban, [way.line for way in expressways])
    inner = draft.street(Street("ring", "primary", 1, key=0))
    draft.lay(rings[0], inner, gap=90.0, barrier=wide, crossing=4.0)
    _radials(draft, land, rings, warp, wide, rng)
    expressways += _exits(draft, land, rings[-1], rng)
    corridor = shapely.union_all([way.line.buffer(FRONTAGE_OFFSET + 6) for way in expressways])
    for bank, turn in zip(land.banks, _orientations(land, rng), strict=True):
        _grid(draft, land, bank.intersection(urban), turn, warp, (dry, wide, corridor), rng)
    country = _country_roads(draft, rings[-1])
    blocked = shapely.union_all([dry, *land.hills, corridor])
    towns = _towns(draft, country, blocked, rng)
    lanes = _village_lanes(country, shapely.union_all([blocked, towns.buffer(150)]), land.limits, rng)
    return Skeleton(draft, tuple(expressways), urban, tuple(lanes))


def _rings(land: Terrain, rng: np.random.Generator) -> list[LineString]:
    rings = []
    for radius in ring_radii(land.radius):
        curve = closed(radius, rng, amplitude=0.022, exponent=3.0, stretch=1.1)
        rings.append(LineString(rotate(curve, land.flow)))
    return rings


def _expressway(draft: Draft, number: int, ring: LineString, rings: int) -> Expressway:
    highway = "motorway" if number == rings - 1 else "trunk"
    return Expressway(ring, draft.street(Street("expressway", highway, 0, key=number)), ring=True)


def _frontage(draft: Draft, way: Expressway, dry: shapely.Geometry) -> None:
    owner = draft.street(Street("frontage", "tertiary", 0, key=draft.streets[way.owner].key))
    for side in (FRONTAGE_OFFSET, -FRONTAGE_OFFSET):
        line = LineString(shapely.simplify(Polygon(way.line).buffer(side).exterior, 0.5).coords)
        for part in shapely.get_parts(line.difference(dry)):
            draft.put(part, owner)


def _axes(draft: Draft, land: Terrain, warp: Warp) -> None:
    """Lay the great avenues: along the river on both banks, and over the bridges."""
    r = land.radius
    crossings = [0.04, 0.47, -0.55] if r > 2500 else [0.04]
    if r > 9000:
        crossings += [0.25, -0.25, 0.75, -0.8]
    still = shapely.union_all([*land.lakes, *land.hills])
    for n, x in enumerate(crossings):
        line = _straight(land, warp, np.array([[x, -1.6], [x, 1.6]]) * r)
        draft.lay(line, draft.street(Street("axis", "primary", 1, "ns", n)), gap=120.0, barrier=still, crossing=7.0)
    for n, y in enumerate((0.03, -0.52)):
        line = _straight(land, warp, np.array([[-1.7, y], [1.7, y]]) * r)
        barrier = shapely.union_all([still, land.river_area.buffer(QUAY_OFFSET)])
        owner = draft.street(Street("axis", "primary", 1, "ew", 10 + n))
        draft.lay(line, owner, gap=120.0, barrier=barrier, crossing=4.0)


def _straight(land: Terrain, warp: Warp, ends: np.ndarray) -> LineString:
    """Return the warped line between two points given in the river's frame, cut to the city limits."""
    points = warp(rotate(resample(LineString(ends), 60.0), land.flow))
    inside = LineString(points).intersection(land.limits)
    return max(shapely.get_parts(inside), key=lambda part: part.length)


def _quays(draft: Draft, land: Terrain, urban: Polygon) -> None:
    """Lay a road along every shore: avenues on the river, lesser ones on the tributary and round the lakes."""
    reach = urban.buffer(0.06 * land.radius)
    waters = [(land.river_area, "secondary", "quay", 0), (land.tributary_area, "tertiary", "quay", 1)]
    waters += [(lake, "secondary" if lake.area > 4e5 else "tertiary", "shore", n) for n, lake in enumerate(land.lakes)]
    wet = land.water.buffer(QUAY_OFFSET - 8)
    for area, highway, kind, key in waters:
        shores = shapely.get_parts(shapely.get_exterior_ring(shapely.get_parts(area.buffer(QUAY_OFFSET, quad_segs=3))))
        for shore in shores:
            smooth = LineString(_relaxed(shore))
            line = smooth.intersection(reach).difference(wet).difference(land.limits.boundary.buffer(60))
            for part in shapely.get_parts(_merged(line)):
                owner = draft.street(Street(kind, highway, 2 if kind == "quay" else 3, key=key))
                draft.lay(part, owner, gap=70.0, crossing=5.0)


def _relaxed(ring: LineString) -> np.ndarray:
    """Return a closed line's points every 45 m, averaged with their neighbours."""
    points = resample(ring, 45.0)[:-1]
    soft = (np.roll(points, 1, 0) + 2 * points + np.roll(points, -1, 0)) / 4
    return np.vstack([soft, soft[:1]])


def _merged(line: shapely.Geometry) -> shapely.Geometry:
    lines = [part for part in shapely.get_parts(line) if part.geom_type == "LineString"]
    return shapely.line_merge(shapely.multilinestrings(lines)) if lines else shapely.MultiLineString()


def _small_bridges(draft: Draft, land: Terrain, urban: Polygon, rings: list[LineString]) -> None:
    """Lay streets over the tributary, where none of the axes crosses it: about every 650 m, square to its course."""
    course = land.tributary
    away = shapely.union_all([*rings, *draft.lines_of("axis")]).buffer(300.0)
    still = shapely.union_all([*land.lakes, *land.hills, land.river_area]).buffer(30.0)
    for s in np.arange(325.0, course.length, 650.0):
        middle, ahead = (np.asarray(course.interpolate(s + d).coords[0]) for d in (0.0, 20.0))
        way = (ahead - middle) / np.hypot(*(ahead - middle))
        side = np.array([-way[1], way[0]]) * 190.0
        line = LineString([middle - side, middle + side])
        if urban.contains(line) and not line.intersects(still) and not away.contains(Point(middle)):
            draft.put(line, draft.street(Street("grid", "secondary", 2)))  # its ends are led on to the next street


def _radials(
    draft: Draft, land: Terrain, rings: list[LineString], warp: Warp, wide: shapely.Geometry, rng: np.random.Generator
) -> None:
    """Lay diagonal avenues from the inner ring out to the limits, where they become national roads."""
    inner = Polygon(rings[0])
    for n, angle in enumerate(np.radians([40, 140, 222, 318]) + rng.normal(0, 0.08, 4)):
        heading = np.array([np.cos(angle), np.sin(angle)])
        bend = np.array([-heading[1], heading[0]]) * rng.normal(0, 0.05) * land.radius
        along = np.linspace(0, 1, 60)[:, None]
        points = heading * along * 1.8 * land.radius + bend * np.sin(np.pi * along * 1.3)
        line = LineString(warp(rotate(points, land.flow))).difference(inner).intersection(land.limits)
        owner = draft.street(Street("radial", "primary", 2, key=n))
        for part in shapely.get_parts(line):
            draft.lay(part, owner, gap=100.0, barrier=wide, crossing=4.5)


def _exits(draft: Draft, land: Terrain, ring: LineString, rng: np.random.Generator) -> list[Expressway]:
    """Return the motorways that leave the outermost ring for other cities, where no water is in the way."""
    exits: list[Expressway] = []
    taken = shapely.union_all([land.water, *land.hills]).buffer(80)
    for angle in np.radians([15, 105, 165, 255, 345]) + rng.normal(0, 0.1, 5):
        heading = rotate(np.array([[np.cos(angle), np.sin(angle)]]), land.flow)[0]
        ray = LineString([heading * 0.3 * land.radius, heading * 2 * land.radius])
        start = ray.intersection(ring)
        if start.geom_type != "Point":
            continue
        out = LineString([start, Point(*(np.array(start.coords[0]) + heading * land.radius))]).intersection(land.limits)
        crowd = [line for line in draft.lines if line.distance(out) < 60 and not line.intersects(ring.buffer(60))]
        if out.geom_type == "LineString" and out.length > 900 and not out.intersects(taken) and not crowd:
            owner = draft.street(Street("expressway", "motorway", 0, key=100 + len(exits)))
            exits.append(Expressway(LineString(resample(out, 150.0)), owner, ring=False))
    return exits


def _orientations(land: Terrain, rng: np.random.Generator) -> tuple[float, float, float]:
    """Return the grid angle of each bank: the old town follows the river, the new one the compass."""
    points = shapely.get_coordinates(land.tributary)
    lean = points[-12] - points[len(points) // 2]
    return land.flow, rng.normal(0, 0.06), float(np.arctan2(lean[1], lean[0])) + rng.normal(0, 0.05)


def _grid(
    draft: Draft,
    land: Terrain,
    bank: shapely.Geometry,
    turn: float,
    warp: Warp,
    barriers: tuple[shapely.Geometry, shapely.Geometry, shapely.Geometry],
    rng: np.random.Generator,
) -> None:
    """Lay a bank's grid: primary lines first, then secondary ones, thinner towards the edge."""
    dry, wide, corridor = barriers
    count = int(1.8 * land.radius / BLOCK)
    for primary in (True, False):
        for along in (0, 1):
            for n in range(-count, count + 1):
                if (n % 3 == 0) != primary:
                    continue
                offset = (n + rng.normal(0, 0.07)) * BLOCK
                ends = np.array([[-1.8 * land.radius, offset], [1.8 * land.radius, offset]])
                line = LineString(warp(rotate(resample(LineString(ends), 60.0), turn + along * np.pi / 2)))
                fringe = 0 if primary else rng.uniform(0.0, 0.16) * land.radius
                inside = line.intersection(bank.buffer(-fringe))
                bearing = "ns" if abs(np.sin(turn + along * np.pi / 2)) > 0.7 else "ew"
                owner = draft.street(
                    Street("grid", "primary" if primary else "secondary", 4 if primary else 5, bearing)
                )
                barrier = wide if primary else dry if n % 2 else shapely.union_all([dry, corridor])
                for part in shapely.get_parts(inside):
                    if part.geom_type == "LineString" and part.length > 300:
                        draft.lay(part, owner, gap=150.0, barrier=barrier, crossing=4.5 if primary else 3.2)


def _country_roads(draft: Draft, ring: LineString) -> list[LineString]:
    """Return the stretches of avenues beyond the outermost ring."""
    city = Polygon(ring).buffer(250.0)
    outside = [part for line in draft.lines_of("axis", "radial") for part in shapely.get_parts(line.difference(city))]
    return [part for part in outside if part.geom_type == "LineString" and part.length > 600]


def _towns(
    draft: Draft, country: list[LineString], blocked: shapely.Geometry, rng: np.random.Generator
) -> shapely.Geometry:
    """Lay the four outer streets of a small town across each country road; returns the ground the towns take."""
    grounds = []
    for road in country:
        at = road.length * rng.uniform(0.35, 0.6)
        along = min(rng.uniform(230, 400), 0.4 * road.length, at - 60)
        middle, ahead = (np.asarray(road.interpolate(at + d).coords[0]) for d in (0.0, 10.0))
        heading = (ahead - middle) / np.hypot(*(ahead - middle))
        side = np.array([-heading[1], heading[0]])
        depth = rng.uniform(140, 330, 4)  # each corner its own, so that no two towns are rectangles of one kind
        reach = along * rng.uniform(0.75, 1.0, 4)
        quadrants = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
        corners = middle + (quadrants[:, :1] * reach[:, None]) * heading + (quadrants[:, 1:] * depth[:, None]) * side
        ground = Polygon(corners)
        if along < 120 or ground.buffer(60).intersects(blocked):
            continue
        owner = draft.street(Street("local", "tertiary", 6))
        for start, end in zip(corners, np.roll(corners, -1, 0), strict=True):
            past = (end - start) / np.hypot(*(end - start)) * OVERSHOOT
            draft.put(LineString([start - past, end + past]), owner)
        grounds.append(ground)
    return shapely.union_all(grounds)


def _village_lanes(
    country: list[LineString], blocked: shapely.Geometry, limits: Polygon, rng: np.random.Generator
) -> list[LineString]:
    """Return lanes that leave the country roads for a village: 150 to 380 m, a little bent."""
    lanes = []
    inside = limits.buffer(-150.0)
    for road in country:
        for at in np.arange(120.0, road.length - 120.0, 170.0) + rng.uniform(-60, 60):
            if rng.random() < 0.35:
                continue
            start, ahead = (np.asarray(road.interpolate(at + d).coords[0]) for d in (0.0, 10.0))
            heading = rotate((ahead - start)[None] / 10.0, rng.choice([-1, 1]) * np.pi / 2 + rng.normal(0, 0.2))[0]
            length = rng.uniform(150, 380)
            bend = rotate(heading[None], rng.normal(0, 0.35))[0]
            lane = LineString(
                [start - 3 * heading, start + 0.5 * length * heading, start + 0.5 * length * (heading + bend)]
            )
            if inside.contains(lane) and not lane.buffer(50).intersects(blocked):
                lanes.append(lane)
                blocked = shapely.union_all([blocked, lane.buffer(60)])
    return lanes
