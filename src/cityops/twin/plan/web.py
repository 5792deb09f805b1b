"""A planar web of streets: lines cut where they meet, short pieces drawn together, stubs pruned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from shapely.ops import substring

from cityops.twin.plan.curves import rotate
from cityops.twin.plan.model import Bools, Floats, Geometries, Ints

GRID = 0.05
"""Metres within which noding takes two points for one."""


@dataclass(frozen=True)
class Web:
    """Undirected pieces of street between nodes: `line[i]` runs from node a[i] to b[i] and belongs to owner[i]."""

    xy: Floats
    a: Ints
    b: Ints
    line: Geometries
    owner: Ints

    def __len__(self) -> int:
        return len(self.a)

    @property
    def degree(self) -> Ints:
        """Number of piece ends at every node."""
        count = len(self.xy)
        return (np.bincount(self.a, minlength=count) + np.bincount(self.b, minlength=count)).astype(np.int32)

    def keep(self, rows: Bools) -> Web:
        """Return the web of the pieces marked in `rows`, its nodes renumbered."""
        a, b = self.a[rows], self.b[rows]
        used, flat = np.unique(np.concatenate([a, b]), return_inverse=True)
        half = len(a)
        return Web(
            self.xy[used], flat[:half].astype(np.int32), flat[half:].astype(np.int32), self.line[rows], self.owner[rows]
        )


def weave(lines: Sequence[shapely.LineString], owners: Sequence[int], ranks: npt.NDArray[np.int_]) -> Web:
    """Return the web of `lines`, cut at every crossing; where two lie on one another the lower rank owns the piece."""
    sources = np.asarray(lines, object)
    pieces = np.asarray(shapely.get_parts(shapely.union_all(sources, grid_size=GRID)), object)
    middles = shapely.line_interpolate_point(pieces, 0.5, normalized=True)
    tree = shapely.STRtree(sources)
    piece, source = tree.query_nearest(middles, max_distance=20 * GRID, all_matches=True)
    order = np.lexsort((ranks[np.asarray(owners)[source]], piece))
    piece, source = piece[order], source[order]
    found, first = np.unique(piece, return_index=True)
    return _web(pieces[found], np.asarray(owners, np.int32)[source[first]])


def _web(lines: Geometries, owner: Ints) -> Web:
    starts = shapely.get_coordinates(shapely.get_point(lines, 0))
    ends = shapely.get_coordinates(shapely.get_point(lines, -1))
    keys, flat = np.unique(np.round(np.vstack([starts, ends]), 2), axis=0, return_inverse=True)
    ends_of: Ints = flat.ravel().astype(np.int32)
    return Web(keys, ends_of[: len(lines)], ends_of[len(lines) :], lines, owner)


def prune(web: Web, fixed: shapely.Geometry | None, shortest: float = np.inf) -> Web:
    """Return the web without dead ends shorter than `shortest` metres, again and again; ends in `fixed` stay."""
    while len(web):
        ends = web.degree == 1
        if fixed is not None:
            ends &= ~shapely.intersects(shapely.points(web.xy), fixed)
        stub = (ends[web.a] | ends[web.b]) & (shapely.length(web.line) < shortest)
        if not stub.any():
            return web
        web = web.keep(~stub)
    return web


def reach_on(web: Web, barrier: shapely.Geometry, fixed: shapely.Geometry, reach: float) -> Web:
    """Return the web with its dead ends led on, straight or up to 50 degrees aside, to the next street within `reach`.

    Ends in `fixed` stay ends, and nothing is led through `barrier`. The result is not yet cut where the new pieces end.
    """
    tree = shapely.STRtree(web.line)
    lines, owners = [], []
    for node in np.flatnonzero((web.degree == 1) & ~shapely.intersects(shapely.points(web.xy), fixed)):
        row = int(np.flatnonzero((web.a == node) | (web.b == node))[0])
        points = shapely.get_coordinates(web.line[row])
        points = points if web.a[row] == node else points[::-1]
        back = points[0] - points[min(2, len(points) - 1)]
        for turn in np.radians([0, 15, -15, 32, -32, 50, -50]):
            ray = shapely.LineString([points[0], points[0] + rotate(back[None], turn)[0] / np.hypot(*back) * reach])
            hits = [n for n in tree.query(ray, predicate="intersects") if n != row]
            if not hits:
                continue
            met = shapely.intersection(shapely.union_all(web.line[hits]), ray)
            length = min(ray.project(shapely.Point(xy)) for xy in shapely.get_coordinates(met))
            led = substring(ray, 0.0, length + 2.0)
            if length > 1.0 and not led.intersects(barrier):
                lines.append(led)
                owners.append(web.owner[row])
                break
    ends = shapely.get_coordinates(shapely.get_point(np.asarray(lines, object), -1)).reshape(-1, 2)
    count = len(web.xy)
    starts = [int(np.argmin(np.hypot(*(web.xy - line.coords[0]).T))) for line in lines]
    return Web(
        np.vstack([web.xy, ends]),
        np.concatenate([web.a, starts]).astype(np.int32),
        np.concatenate([web.b, count + np.arange(len(lines))]).astype(np.int32),
        np.concatenate([web.line, np.asarray(lines, object)]),
        np.concatenate([web.owner, owners]).astype(np.int32),
    )


def contract(web: Web, shortest: float, ranks: npt.NDArray[np.int_]) -> Web:
    """Return the web with all pieces shorter than `shortest` metres drawn together into one node.

    The node stays where the lowest ranked of its streets runs, so that great roads keep their course. Pieces that
    then join the same two nodes on nearly the same way are merged into the lowest ranked.
    """
    short = shapely.length(web.line) < shortest
    count = len(web.xy)
    graph = coo_matrix((np.ones(short.sum()), (web.a[short], web.b[short])), shape=(count, count))
    _, group = connected_components(graph, directed=False)
    rank = np.full(count, 99)
    np.minimum.at(rank, web.a, ranks[web.owner])
    np.minimum.at(rank, web.b, ranks[web.owner])
    best = np.full(group.max() + 1, 99)
    np.minimum.at(best, group, rank)
    leads = (rank == best[group]).astype(np.float64)
    weight = np.bincount(group, leads)
    xy = np.column_stack([np.bincount(group, leads * web.xy[:, k]) / weight for k in (0, 1)])
    a, b = group[web.a], group[web.b]
    stays = (a != b) | (shapely.length(web.line) > 6 * shortest)
    moved = [_ends_moved(line, xy[i], xy[j]) for line, i, j in zip(web.line[stays], a[stays], b[stays], strict=True)]
    merged = Web(xy, a[stays].astype(np.int32), b[stays].astype(np.int32), np.asarray(moved, object), web.owner[stays])
    return _without_doubles(merged.keep(np.ones(len(merged), bool)), 1.5 * shortest, ranks)


def knit(
    lines: Sequence[shapely.LineString], owners: Sequence[int], ranks: npt.NDArray[np.int_], shortest: float
) -> Web:
    """Return the web of `lines` without pieces shorter than `shortest`.

    Drawing pieces together moves lines, which may make them cross anew: cut and drawn together until nothing changes.
    """
    web = contract(prune(weave(lines, owners, ranks), None, shortest), shortest, ranks)
    for _ in range(4):
        again = weave(list(web.line), web.owner.tolist(), ranks)
        if len(again) == len(web):
            break
        web = contract(prune(again, None, shortest), shortest, ranks)
    return web


def _ends_moved(line: shapely.LineString, start: Floats, end: Floats) -> shapely.LineString:
    points = shapely.get_coordinates(line)
    if max(abs(points[0] - start).max(), abs(points[-1] - end).max()) < 1e-6:
        return line
    points[0], points[-1] = start, end
    if len(points) > 2:  # vertices close to a moved end would make the line double back
        inner = points[1:-1]
        clear = (np.hypot(*(inner - start).T) > 12.0) & (np.hypot(*(inner - end).T) > 12.0)
        points = np.vstack([points[:1], inner[clear], points[-1:]])
    return shapely.LineString(points)


def _without_doubles(web: Web, apart: float, ranks: npt.NDArray[np.int_]) -> Web:
    low, high = np.minimum(web.a, web.b), np.maximum(web.a, web.b)
    order = np.lexsort((ranks[web.owner], high, low))
    keep = np.ones(len(web), bool)
    for one, two in pairwise(order):
        same = low[one] == low[two] and high[one] == high[two]
        if same and shapely.hausdorff_distance(web.line[one], web.line[two]) < apart:
            keep[two] = False
    return web.keep(keep)


def largest_component(count: int, a: Ints, b: Ints, *, directed: bool) -> Bools:
    """Return which of `count` nodes belong to the largest (strongly, if directed) connected part of edges a → b."""
    graph = coo_matrix((np.ones(len(a), np.int8), (a, b)), shape=(count, count))
    _, part = connected_components(graph, directed=directed, connection="strong")
    return np.asarray(part == np.bincount(part).argmax())
