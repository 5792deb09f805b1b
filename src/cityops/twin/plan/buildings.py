"""Buildings in rows: slabs that face south, towers in the centre, the old town's small houses, halls, farmhouses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from shapely.geometry import LineString

from cityops.twin.plan.curves import Floats, resample, rotate
from cityops.twin.plan.model import Bools, Buildings, Geometries
from cityops.twin.plan.sites import Blocks

STOREY = 3.0
"""Metres of height a storey of housing takes."""


@dataclass(frozen=True)
class Pattern:
    """Rows of like buildings, metres: footprint length and depth, gaps along and between rows, heights and their odds.

    `untidy` is the share of places left empty and, in units of 10 degrees and 4 m, how crooked they stand.
    """

    length: tuple[float, float]
    depth: tuple[float, float]
    gap: float
    lane: float
    heights: tuple[float, ...]
    odds: tuple[float, ...]
    use: str
    untidy: float = 0.0


_SLAB = Pattern((44, 66), (12, 14), 11, 21, (18, 21, 33), (0.5, 0.2, 0.3), "residential", 0.03)
_TALL = Pattern((30, 46), (15, 18), 20, 36, (54, 78, 99), (0.5, 0.3, 0.2), "residential", 0.05)

PATTERNS: dict[str, tuple[tuple[float, Pattern], ...]] = {
    "residential": ((0.62, _SLAB), (0.38, _TALL)),
    "mixed": (
        (0.35, _SLAB),
        (0.25, _TALL),
        (0.4, Pattern((28, 52), (18, 26), 9, 16, (15, 24, 45, 72), (0.35, 0.3, 0.2, 0.15), "commercial", 0.08)),
    ),
    "old": ((1.0, Pattern((11, 22), (8, 10), 3, 6, (6, 9, 15, 18), (0.35, 0.3, 0.2, 0.15), "residential", 0.14)),),
    "cbd": (
        (0.7, Pattern((34, 52), (32, 44), 20, 20, (60, 90, 130, 180), (0.3, 0.35, 0.25, 0.1), "office", 0.12)),
        (0.3, Pattern((50, 80), (36, 50), 14, 16, (22, 28, 36), (0.4, 0.4, 0.2), "commercial", 0.05)),
    ),
    "industrial": ((1.0, Pattern((60, 110), (30, 48), 14, 16, (9, 12, 15), (0.4, 0.4, 0.2), "industrial", 0.18)),),
    "campus": ((1.0, Pattern((46, 72), (15, 19), 26, 30, (15, 21, 30), (0.5, 0.35, 0.15), "public", 0.22)),),
    "town": ((1.0, Pattern((16, 30), (10, 12), 5, 11, (9, 12, 18), (0.5, 0.3, 0.2), "residential", 0.15)),),
    "primary_school": ((1.0, Pattern((48, 58), (13, 15), 16, 24, (12, 15), (0.5, 0.5), "public", 0.1)),),
    "middle_school": ((1.0, Pattern((56, 68), (14, 17), 16, 26, (15, 18), (0.5, 0.5), "public", 0.1)),),
    "hospital_3": ((1.0, Pattern((52, 70), (20, 26), 18, 20, (24, 45, 66), (0.4, 0.35, 0.25), "public", 0.05)),),
    "hospital_2": ((1.0, Pattern((44, 56), (16, 20), 16, 18, (18, 27, 36), (0.4, 0.35, 0.25), "public", 0.05)),),
    "government": ((1.0, Pattern((64, 80), (20, 26), 20, 30, (24, 45), (0.6, 0.4), "public", 0.0)),),
    "district_government": ((1.0, Pattern((50, 60), (16, 20), 18, 26, (18, 30), (0.6, 0.4), "public", 0.0)),),
    "station": ((1.0, Pattern((150, 170), (46, 56), 20, 40, (24,), (1.0,), "public", 0.0)),),
}
"""What stands on a block by its use: patterns with the odds of each. Uses not here stay open."""


def build_up(
    blocks: Blocks,
    plots: Geometries,
    kept_free: Geometries,
    lanes: Sequence[LineString],
    centre: Floats,
    radius: float,
    rng: np.random.Generator,
) -> tuple[Buildings, np.ndarray]:
    """Return the city's buildings and for each the row of its block, -1 for those of village lanes.

    On blocks they stand within `plots`; along village lanes clear of the geometries `kept_free`.
    """
    boxes: list[Floats] = []
    height: list[Floats] = []
    use: list[str] = []
    owner: list[int] = []
    counts: list[int] = []
    distance = np.hypot(*(blocks.middles - centre).T) / radius
    for row, (plot, kind) in enumerate(zip(plots, blocks.use, strict=True)):
        choices = PATTERNS.get(str(kind))
        if choices is None or plot.is_empty:
            continue
        pattern = choices[rng.choice(len(choices), p=[odds for odds, _ in choices])][1]
        placed, tall = _rows(plot, pattern, float(distance[row]), rng)
        boxes.append(placed)
        height.append(tall)
        use.append(pattern.use)
        owner.append(row)
        counts.append(len(placed))
    rows = np.repeat(owner, counts)
    shapely.prepare(plots)
    geometry, stands = _fitted(np.concatenate(boxes), plots[rows])
    uses = np.repeat(np.asarray(use, "<U12"), counts)
    homes, home_heights = _farmhouses(lanes, kept_free, rng)
    return (
        Buildings(
            np.concatenate([geometry[stands], homes]),
            np.concatenate([np.concatenate(height)[stands], home_heights]),
            np.concatenate([uses[stands], np.full(len(homes), "village", "<U12")]),
        ),
        np.concatenate([rows[stands], np.full(len(homes), -1)]),
    )


def _fitted(corners: Floats, plots: Geometries) -> tuple[Geometries, Bools]:
    """Return the footprints, cut to half where only that fits, and which of them stand within their plots."""
    geometry = np.asarray(shapely.polygons(corners), object)
    stands = shapely.contains(plots, geometry)
    for moved, kept in (([0, 3], [1, 2]), ([1, 2], [0, 3])):
        half = corners[~stands].copy()
        half[:, moved] += 0.45 * (half[:, kept] - half[:, moved])
        half[:, 4] = half[:, 0]
        smaller = np.asarray(shapely.polygons(half), object)
        rows = np.flatnonzero(~stands)
        fits = shapely.contains(plots[rows], smaller)
        geometry[rows[fits]] = smaller[fits]
        stands[rows[fits]] = True
    return geometry, stands


def plots_of(blocks: Blocks, kept_free: Geometries) -> Geometries:
    """Return what of each block may be built on: 8 m in from its streets' middles and clear of what is kept free."""
    return plots_less(np.asarray(shapely.buffer(blocks.ground, -8.0, join_style="mitre"), object), kept_free)


def plots_less(plots: Geometries, taken: Geometries) -> Geometries:
    """Return the plots without the ground of `taken`."""
    left = plots.copy()
    row, found = shapely.STRtree(taken).query(plots, predicate="intersects")
    order = np.argsort(row, kind="stable")
    row, found = row[order], found[order]
    starts = [*np.flatnonzero(np.diff(row, prepend=-1)), len(row)]
    for start, end in pairwise(starts):
        left[row[start]] = left[row[start]].difference(shapely.union_all(taken[found[start:end]]))
    return left


def _rows(plot: shapely.Geometry, pattern: Pattern, distance: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the corners (n, 5, 2) and heights of candidates in rows over a plot; those that stick out go later."""
    angle = _facing_south(plot)
    turned = rotate(shapely.get_coordinates(plot), -angle)
    low, high = turned.min(0), turned.max(0)
    tall = float(rng.choice(pattern.heights, p=pattern.odds))
    if pattern.use == "office":
        tall *= float(np.clip(1.5 - 2.2 * distance, 0.6, 1.5))
    length, depth = rng.uniform(*pattern.length), rng.uniform(*pattern.depth)
    width, height = high - low
    lane = max(pattern.lane, 0.62 * tall if pattern.use == "residential" else 0.0)
    length = min(length, max(width - 2, pattern.length[0] * 0.6))
    columns, rows = int((width + pattern.gap) // (length + pattern.gap)), int((height + lane) // (depth + lane))
    if columns < 1 or rows < 1:
        return np.empty((0, 5, 2)), np.empty(0)
    spare_x = (width - columns * length) / columns  # what is left over widens the gaps
    spare_y = (height - rows * depth) / rows
    x = low[0] + (np.arange(columns) + 0.5) * (length + spare_x)
    y = low[1] + (np.arange(rows) + 0.5) * (depth + spare_y)
    centers = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    centers = centers[rng.random(len(centers)) >= pattern.untidy]
    centers += rng.normal(0, 4 * pattern.untidy, centers.shape)
    crooked = rng.normal(0, np.radians(10) * pattern.untidy, len(centers))
    sizes = np.column_stack([np.full(len(centers), length), np.full(len(centers), depth)])
    sizes *= 1 + rng.uniform(-0.9, 0.3, sizes.shape) * pattern.untidy
    heights = tall * (1 + rng.uniform(-0.5, 0.6, len(centers)) * min(pattern.untidy * 2.5, 0.6))
    return rotate(_boxes(centers, sizes, crooked).reshape(-1, 2), angle).reshape(-1, 5, 2), np.maximum(heights, 3.0)


def _boxes(centers: Floats, sizes: Floats, angles: Floats) -> Floats:
    """Return closed rectangles, shape (n, 5, 2)."""
    unit = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5], [-0.5, -0.5]])
    corners = unit[None] * sizes[:, None, :]
    c, s = np.cos(angles)[:, None], np.sin(angles)[:, None]
    x = corners[..., 0] * c - corners[..., 1] * s
    y = corners[..., 0] * s + corners[..., 1] * c
    return np.asarray(np.stack([x, y], -1) + centers[:, None, :])


def _facing_south(plot: shapely.Geometry) -> float:
    """Return the direction of rows on a plot: along one of its sides, the one nearer to east and west."""
    corners = shapely.get_coordinates(shapely.minimum_rotated_rectangle(plot))
    side = corners[1] - corners[0]
    angle = float(np.arctan2(side[1], side[0]))
    return (angle + np.pi / 4) % (np.pi / 2) - np.pi / 4


def _farmhouses(
    lanes: Sequence[LineString], kept_free: Geometries, rng: np.random.Generator
) -> tuple[Geometries, Floats]:
    """Return houses along both sides of the village lanes, one or two deep, and their heights."""
    boxes = []
    for lane in lanes:
        points = resample(lane, 17.0)[1:]
        heading = np.gradient(points, axis=0) if len(points) > 1 else np.array([[1.0, 0.0]])
        angle = np.arctan2(heading[:, 1], heading[:, 0])
        side = np.column_stack([-np.sin(angle), np.cos(angle)])
        for offset in (-29.0, -15.0, 15.0, 29.0):
            there = rng.random(len(points)) < (0.85 if abs(offset) < 20 else 0.45)
            centers = (points + offset * side + rng.normal(0, 1.2, points.shape))[there]
            sizes = rng.uniform((9, 8), (13, 10), (len(centers), 2))
            boxes.append(_boxes(centers, sizes, angle[there] + rng.normal(0, 0.06, len(centers))))
    if not boxes:
        return np.empty(0, object), np.empty(0)
    houses = np.asarray(shapely.polygons(np.concatenate(boxes)), object)
    clash = shapely.STRtree(houses).query(houses, predicate="intersects")
    later = clash[0][clash[0] > clash[1]]
    blocked, _ = shapely.STRtree(kept_free).query(houses, predicate="intersects")
    stands = ~np.isin(np.arange(len(houses)), np.concatenate([later, blocked]))
    return houses[stands], rng.uniform(4.0, 9.5, int(stands.sum()))
