"""Superblocks cut into blocks by local streets, each in its own direction and to the grain of its style."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry import LineString, Polygon

from cityops.twin.plan.curves import Floats, rotate

GRAIN = {"cbd": 1.5, "old": 0.95, "mixed": 1.5, "residential": 1.9, "industrial": 5.0, "campus": 4.0, "town": 1.6}
"""Area in hectares below which a block is left whole, by style; styles not here are never cut."""

COLLECTOR = 9.0
"""Hectares from which on a cut is a tertiary street rather than a residential one."""

CLEAR = 42.0
"""Metres a new street keeps from other junctions, or else meets them."""


@dataclass(frozen=True)
class Cut:
    """A local street across a block."""

    line: LineString
    highway: str


class Cutter:
    """Cuts superblocks; remembers where streets end so that those of neighbours meet across a road."""

    def __init__(self, corners: Floats, rng: np.random.Generator) -> None:
        """`corners` are the junctions of the frame, which local streets must not come too near."""
        self._rng = rng
        self._corners = _Near(CLEAR)
        self._ends = _Near(CLEAR)
        for x, y in corners:
            self._corners.add(x, y)

    def cut(self, face: Polygon, style: str) -> tuple[list[Cut], list[Polygon]]:
        """Return the local streets of one superblock and the blocks they leave."""
        grain = GRAIN.get(style)
        if grain is None:
            return [], [face]
        jitter = 0.10 if style == "old" else 0.02
        angle = _bearing(face)
        cuts: list[Cut] = []
        blocks: list[Polygon] = []
        stack = [face]
        while stack:
            block = stack.pop()
            hectares = block.area / 10_000
            halves = None
            if hectares > grain * self._rng.uniform(0.9, 1.5):
                halves = self._halve(block, angle + self._rng.normal(0, jitter))
            if halves is None:
                blocks.append(block)
                continue
            line, one, two = halves
            cuts.append(Cut(line, "tertiary" if hectares > COLLECTOR and style != "campus" else "residential"))
            stack += [one, two]
        return cuts, blocks

    def _halve(self, block: Polygon, angle: float) -> tuple[LineString, Polygon, Polygon] | None:
        """Return a cut across the block's longer side and the two parts, or None where no good one is found."""
        turned = rotate(shapely.get_coordinates(block.exterior), -angle)
        low, high = turned.min(0), turned.max(0)
        size = high - low
        axes = (0, 1) if size[0] >= size[1] else (1, 0)
        for axis in axes:
            if size[axis] < 2.2 * CLEAR:
                continue
            for share in 0.5 + self._rng.uniform(-1, 1, 10) * np.linspace(0.1, 0.3, 10):
                at = low[axis] + share * size[axis]
                ends = np.array(
                    [[at, low[1] - 5], [at, high[1] + 5]] if axis == 0 else [[low[0] - 5, at], [high[0] + 5, at]]
                )
                found = self._chord(block, LineString(rotate(ends, angle)))
                if found is not None:
                    return found
        return None

    def _chord(self, block: Polygon, line: LineString) -> tuple[LineString, Polygon, Polygon] | None:
        across = block.intersection(line)
        parts = [part for part in shapely.get_parts(across) if part.geom_type == "LineString"]
        if not parts:
            return None
        ends = shapely.get_coordinates(max(parts, key=lambda part: part.length))[[0, -1]]
        ring = block.exterior
        for n in (0, 1):
            corner = self._corners.nearest(ends[n])
            if corner is not None:
                return None
            meet = self._ends.nearest(ends[n])
            if meet is not None:
                if ring.distance(shapely.Point(meet)) > 0.3:
                    continue  # an end on some other road, across a narrow block
                ends[n] = meet
        if np.hypot(*(ends[1] - ends[0])) < CLEAR:
            return None
        halves = _split(block, ends)
        if halves is None or min(half.area for half in halves) < 0.15 * block.area:
            return None
        for x, y in ends:
            self._ends.add(x, y)
        return LineString(ends), *halves


class _Near:
    """Points in square cells, to find the nearest within a cell's width."""

    def __init__(self, cell: float) -> None:
        self._cell = cell
        self._points: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)

    def add(self, x: float, y: float) -> None:
        self._points[int(x // self._cell), int(y // self._cell)].append((x, y))

    def nearest(self, at: Floats) -> tuple[float, float] | None:
        """Return the nearest point within a cell's width of `at`."""
        around = [(float(np.hypot(x - at[0], y - at[1])), (x, y)) for x, y in self._around(at)]
        distance, point = min(around, default=(np.inf, None))
        return point if distance < self._cell else None

    def _around(self, at: Floats) -> Iterator[tuple[float, float]]:
        column, row = int(at[0] // self._cell), int(at[1] // self._cell)
        for i in (column - 1, column, column + 1):
            for j in (row - 1, row, row + 1):
                yield from self._points.get((i, j), ())


def _bearing(face: Polygon) -> float:
    """Return the angle of the long side of the smallest rectangle around `face`."""
    corners = shapely.get_coordinates(shapely.minimum_rotated_rectangle(face))
    sides = np.diff(corners[:3], axis=0)
    long = sides[np.argmax(np.hypot(*sides.T))]
    return float(np.arctan2(long[1], long[0]))


def _split(block: Polygon, ends: Floats) -> tuple[Polygon, Polygon] | None:
    """Return the two parts of `block` left and right of the chord between two points of its edge."""
    chord = LineString(ends)
    if not block.buffer(0.5).contains(chord):
        return None
    ring = block.exterior
    points = shapely.get_coordinates(ring)[:-1]
    along = shapely.line_locate_point(ring, shapely.points(points))
    s, e = shapely.line_locate_point(ring, shapely.points(ends))
    start, end = (ends[0], ends[1]) if s <= e else (ends[1], ends[0])
    s, e = min(s, e), max(s, e)
    between = (along > s + 0.1) & (along < e - 0.1)
    outside = np.concatenate([points[along > e + 0.1], points[along < s - 0.1]])
    one = np.vstack([start, points[between], end])
    two = np.vstack([end, outside, start])
    if len(one) < 3 or len(two) < 3:
        return None
    halves = Polygon(one), Polygon(two)
    return halves if halves[0].is_valid and halves[1].is_valid else None
