"""The land before the city: a winding river with an island, a tributary, lakes, hills, and the city limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
import shapely.ops
from shapely.geometry import LineString, Point, Polygon

from cityops.twin.plan.curves import Floats, blob, closed, rotate, smooth


@dataclass(frozen=True)
class Terrain:
    """Land and water in metres about the old town; `radius` is that of the built-up city.

    `river` and `tributary` are centre lines, `river_area`, `tributary_area` their water (the island cut out).
    `banks` are the parts of the limits that the two separate: the old town's, across the river, across the tributary.
    `flow` is the river's direction past the old town in radians.
    """

    radius: float
    flow: float
    limits: Polygon
    river: LineString
    river_area: shapely.Geometry
    tributary: LineString
    tributary_area: shapely.Geometry
    island: Polygon
    lakes: tuple[Polygon, ...]
    hills: tuple[Polygon, ...]
    banks: tuple[Polygon, Polygon, Polygon]

    @property
    def water(self) -> shapely.Geometry:
        """All water as one geometry."""
        return shapely.union_all([self.river_area, self.tributary_area, *self.lakes])


def shape_terrain(radius: float, rng: np.random.Generator) -> Terrain:
    """Return the land for a city of `radius` metres."""
    flow = rng.uniform(
        0.30, 0.75
    )  # from south-west to north-east, as rivers of the plain that had to be bridged often do
    limits = Polygon(rotate(closed(1.28 * radius, rng, amplitude=0.035, exponent=2.5, stretch=1.15), flow * 0.3))
    river = _river(radius, rng)
    tributary = _tributary(radius, river, rng)
    half = float(np.clip(0.027 * radius, 60, 260))
    swell = _swelling(river, half, rng)
    bar, middle = _island(river, half, rng)
    river_area = shapely.union_all([*swell, bar.buffer(1.3 * half)]).buffer(half).buffer(-half)
    tributary_area = tributary.buffer(float(np.clip(0.0085 * radius, 18, 70)))
    turn = _turn(flow)
    river, tributary, bar = (turn(shape) for shape in (river, tributary, bar))
    beyond = limits.buffer(0.35 * radius)
    river_area = turn(river_area).intersection(beyond)
    tributary_area = turn(tributary_area).intersection(beyond).difference(river_area)
    banks = _banks(limits, river, tributary, rotate(np.array([[middle[0], middle[1]]]), flow)[0])
    wet = shapely.union_all([river_area, tributary_area])
    river_area = river_area.difference(bar)
    lakes = _lakes(radius, flow, limits, wet, rng)
    hills = _hills(radius, flow, limits, shapely.union_all([wet, *lakes]), rng)
    return Terrain(radius, flow, limits, river, river_area, tributary, tributary_area, bar, lakes, hills, banks)


def _river(radius: float, rng: np.random.Generator) -> LineString:
    """Return the river's centre line, flowing along +x, south of the origin."""
    x = np.linspace(-2.2, 2.2, 9) * radius
    y = (-0.24 - 0.02 * rng.normal()) * radius + rng.normal(0, 0.11, 9) * radius * np.array(
        [2, 1.6, 1.2, 0.7, 0.1, 0.7, 1.2, 1.6, 2]
    )
    y += 0.13 * radius * np.sin(np.linspace(0.4, 2 * np.pi + 0.4, 9) + rng.uniform(-0.5, 0.5))
    y[4] = min(y[4], -0.2 * radius)
    return LineString(smooth(np.column_stack([x, y]), radius / 100))


def _tributary(radius: float, river: LineString, rng: np.random.Generator) -> LineString:
    """Return the tributary's centre line, from the west into the river a little upstream of the old town."""
    mouth = river.intersection(LineString([(-0.34 * radius, -2 * radius), (-0.34 * radius, 2 * radius)]))
    end = np.array([mouth.x, mouth.y - 0.004 * radius])  # past the middle, so that the two lines meet for certain
    start = np.array([-2.0 * radius, rng.uniform(0.9, 1.3) * radius])
    along = np.linspace(0, 1, 8)[:, None]
    points = start + (end - start) * along ** np.array([1.0, 0.8])
    points[1:-1] += rng.normal(0, 0.065, (6, 2)) * radius * np.sin(np.pi * along[1:-1])
    points[-2] += np.array([-0.02, 0.05]) * radius
    return LineString(smooth(points, radius / 100))


def _swelling(river: LineString, half: float, rng: np.random.Generator) -> list[Polygon]:
    """Return discs and their hulls along the river whose width comes and goes."""
    points = shapely.get_coordinates(river)
    widths = half * (1 + 0.22 * np.sin(np.linspace(0, rng.uniform(14, 20), len(points)) + rng.uniform(0, 6)))
    discs = shapely.buffer(shapely.points(points), widths)
    pairs = shapely.multipolygons(np.stack([discs[:-1], discs[1:]], 1))
    return list(shapely.convex_hull(pairs))


def _island(river: LineString, half: float, rng: np.random.Generator) -> tuple[Polygon, Floats]:
    """Return a sand bar in midstream, downstream of the old town, and the river's point nearest the old town."""
    middle = river.project(Point(0, 0))
    start = middle + river.length * rng.uniform(0.10, 0.13)
    core = shapely.ops.substring(river, start, start + 9 * half)
    points = shapely.get_coordinates(core)
    width = half * 0.75 * np.sin(np.linspace(0.05, np.pi, len(points))) ** 0.6
    bar = shapely.union_all(shapely.buffer(shapely.points(points), width)).buffer(20).buffer(-10)
    return bar, shapely.get_coordinates(river.interpolate(middle))[0]


def _turn(angle: float) -> Callable[[shapely.Geometry], Any]:
    """Return a function that turns a geometry about the origin."""

    def turned(shape: shapely.Geometry) -> Any:  # the same kind of geometry as it was given
        return shapely.transform(shape, lambda xy: rotate(xy, angle))

    return turned


def _banks(limits: Polygon, river: LineString, tributary: LineString, near: Floats) -> tuple[Polygon, Polygon, Polygon]:
    """Return the parts of `limits`: with the old town (the origin), across the river, across the tributary."""
    lines = shapely.union_all([limits.boundary, river, tributary])
    parts = [
        part for part in shapely.get_parts(shapely.polygonize([lines])) if limits.contains(part.representative_point())
    ]
    core = next(part for part in parts if part.contains(Point(0, 0)))
    across = next(part for part in parts if part.contains(Point(*(near * 1.2))))
    rest = [part for part in parts if part is not core and part is not across]
    return core, across, max(rest, key=lambda part: part.area)


_LAKES = ((0.36, -0.78, 0.18, 0.22), (-0.02, 0.36, 0.05, 0.14), (-0.62, 0.06, 0.08, 0.2), (0.62, 0.50, 0.10, 0.22))
_MORE_LAKES = ((-0.35, -0.95, 0.08, 0.2), (-0.55, 0.85, 0.09, 0.2), (1.02, -0.35, 0.07, 0.2))
_HILLS = ((0.02, -0.62, 0.09, 0.12), (-0.52, -0.42, 0.05, 0.10), (0.35, 1.02, 0.16, 0.18), (-0.62, -1.05, 0.16, 0.2))
"""East, north, radius (in city radii, the river flowing east) and raggedness."""


def _lakes(
    radius: float, flow: float, limits: Polygon, wet: shapely.Geometry, rng: np.random.Generator
) -> tuple[Polygon, ...]:
    shore = wet.buffer(0.035 * radius)
    return _blobs(_LAKES + _MORE_LAKES, radius, flow, limits, shore, rng)


def _hills(
    radius: float, flow: float, limits: Polygon, wet: shapely.Geometry, rng: np.random.Generator
) -> tuple[Polygon, ...]:
    return _blobs(_HILLS, radius, flow, limits, wet.buffer(0.02 * radius), rng)


def _blobs(
    table: tuple[tuple[float, float, float, float], ...],
    radius: float,
    flow: float,
    limits: Polygon,
    taken: shapely.Geometry,
    rng: np.random.Generator,
) -> tuple[Polygon, ...]:
    """Return the table's blobs, moved a little and cut back from what is taken; those nearly eaten up are left out."""
    blobs = []
    for east, north, size, ragged in table:
        center = rotate((np.array([[east, north]]) + rng.normal(0, 0.04, (1, 2))) * radius, flow)[0]
        whole = blob(center, size * radius, rng, amplitude=ragged, angle=rng.uniform(0, np.pi))
        kept = whole.intersection(limits).difference(taken).buffer(-0.004 * radius).buffer(0.004 * radius)
        parts = [part for part in shapely.get_parts(kept) if part.area > 0.45 * whole.area]
        blobs += parts
        taken = shapely.union_all([taken, *(part.buffer(0.03 * radius) for part in parts)])
    return tuple(blobs)
