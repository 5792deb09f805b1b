"""Expressways in the air: carriageways, ramps to frontage roads, trumpets where motorways leave the ring."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely.geometry import LineString, Point
from shapely.ops import substring

from cityops.twin.plan.curves import Floats, resample
from cityops.twin.plan.skeleton import FRONTAGE_OFFSET, Expressway

CARRIAGEWAY_OFFSET = 11.0
"""Metres from the middle of an expressway to the middle of either carriageway."""
MAIN_LANES = 3
EXIT_LANES = 2
SPACING = 800.0
"""Metres between interchanges at least."""
GORE, LANDING, AUXILIARY = 300.0, 170.0, 200.0
"""Metres from a crossing to where ramps meet the carriageway and the frontage road; length of the extra lane."""
TRUMPET = 380.0


@dataclass(frozen=True)
class Carriageway:
    """One directed piece of expressway or ramp between nodes, by number in the combined list of nodes."""

    start: int
    end: int
    line: LineString
    highway: str
    lanes: int
    owner: int


@dataclass
class Air:
    """Expressways under construction: nodes beyond the `ground` first ones, and the pieces between them."""

    ground: Floats
    xy: list[Floats] = field(default_factory=list)
    pieces: list[Carriageway] = field(default_factory=list)

    def node(self, point: Floats) -> int:
        """Enter a node; returns its number."""
        self.xy.append(np.asarray(point))
        return len(self.ground) + len(self.xy) - 1

    def place(self, node: int) -> Floats:
        """Return where a node is."""
        return self.ground[node] if node < len(self.ground) else self.xy[node - len(self.ground)]


@dataclass(frozen=True)
class _Trumpet:
    """Where a motorway leaves a ring, the node where its way out begins and the one where its way in ends."""

    point: Point
    away: int
    home: int


def interchanges(
    ring: Expressway, streets: Iterable[tuple[int, LineString]], exits: Sequence[Expressway]
) -> list[float]:
    """Return where along `ring` interchanges stand: where streets (rank, line) cross it, the lowest ranks first."""
    crossings = []
    for rank, line in streets:
        points = shapely.get_parts(ring.line.intersection(line))
        crossings += [(rank, ring.line.project(point)) for point in points if point.geom_type == "Point"]
    taken = [ring.line.project(Point(leaving.line.coords[0])) for leaving in exits if leaves(ring, leaving)]
    chosen: list[float] = []
    for _, at in sorted(crossings):
        far = all(_apart(at, other, ring.line.length) >= SPACING for other in chosen)
        if far and all(_apart(at, other, ring.line.length) >= TRUMPET + GORE + AUXILIARY for other in taken):
            chosen.append(at)
    return sorted(chosen)


def leaves(ring: Expressway, leaving: Expressway) -> bool:
    """Return whether the motorway `leaving` begins on `ring`."""
    return bool(ring.line.distance(Point(leaving.line.coords[0])) < 1.0)


def landings(ring: Expressway, crossings: Sequence[float]) -> list[Point]:
    """Return the points of the frontage roads at which ramps of `ring` land."""
    return [
        Point(_beside(line, s + shift, FRONTAGE_OFFSET))
        for line, points in _both_ways(ring.line, crossings)
        for s in points
        for shift in (-LANDING, LANDING)
    ]


def raise_expressways(
    air: Air,
    ways: Sequence[tuple[Expressway, str, Sequence[float]]],
    frontage: Sequence[int],
) -> None:
    """Enter all expressways, given with class and interchanges; ramps go to the nearest of the nodes `frontage`."""
    trumpets = [_leave(air, way) for way, _, _ in ways if not way.ring]
    numbers = np.asarray(frontage)
    tree = shapely.STRtree(shapely.points(air.ground[numbers]))
    for ring, highway, crossings in ways:
        if not ring.ring:
            continue
        for line, points in _both_ways(ring.line, crossings):
            ramps = [ramp for s in points for ramp in _diamond(line, s, tree, numbers)]
            for trumpet in trumpets:
                if line.distance(trumpet.point) < 1.0:
                    s = line.project(trumpet.point)
                    ramps += [_Ramp(s - TRUMPET, True, trumpet.away), _Ramp(s + TRUMPET, False, trumpet.home)]
            _carriageway(air, line, highway, ring.owner, ramps)


@dataclass(frozen=True)
class _Ramp:
    """A ramp of a carriageway: where along it, whether it leaves or joins, and the node at its other end."""

    at: float
    leaving: bool
    node: int


def _diamond(line: LineString, s: float, tree: shapely.STRtree, numbers: Floats) -> Iterator[_Ramp]:
    """Yield the two ramps one carriageway has at the interchange at `s`, where a frontage road is there to land on."""
    for leaving, sign in ((True, -1), (False, 1)):
        target = Point(_beside(line, s + sign * LANDING, FRONTAGE_OFFSET))
        near = tree.query(target, predicate="dwithin", distance=80.0)
        if len(near):
            best = min(near, key=lambda n: target.distance(tree.geometries[n]))
            yield _Ramp(s + sign * GORE, leaving, int(numbers[best]))


def _leave(air: Air, way: Expressway) -> _Trumpet:
    """Enter a motorway's two carriageways to the city limits, where traffic turns round as if the road went on."""
    out, back = (_offset(line) for line in (way.line, way.line.reverse()))
    gate = air.node(np.asarray(way.line.coords[-1]))
    outward, inward = substring(out, TRUMPET, out.length), substring(back, 0, back.length - TRUMPET)
    away, home = air.node(np.asarray(outward.coords[0])), air.node(np.asarray(inward.coords[-1]))
    for start, end, line in ((away, gate, outward), (gate, home, inward)):
        points = np.vstack([air.place(start), shapely.get_coordinates(line)[1:-1], air.place(end)])
        air.pieces.append(Carriageway(start, end, LineString(points), "motorway", EXIT_LANES, way.owner))
    return _Trumpet(Point(way.line.coords[0]), away, home)


def _carriageway(air: Air, line: LineString, highway: str, owner: int, ramps: list[_Ramp]) -> None:
    """Enter one carriageway of a ring in driving direction, cut at its ramps and where extra lanes begin and end."""
    length = line.length
    ramps = sorted((_Ramp(ramp.at % length, ramp.leaving, ramp.node) for ramp in ramps), key=lambda ramp: ramp.at)
    extra = list(_extra_lanes(ramps, length))
    stops = np.unique(np.round([ramp.at for ramp in ramps] + [s % length for pair in extra for s in pair], 1))
    side = _offset(line)
    nodes = {float(s): air.node(_beside(line, s, CARRIAGEWAY_OFFSET)) for s in stops}
    for here, there in zip(stops, np.roll(stops, -1), strict=True):
        run = (there - here) % length or length
        middle = (here + run / 2) % length
        added = any((middle - start) % length < (end - start) for start, end in extra)
        piece = _along(side, here / length, run / length)
        points = np.vstack([air.place(nodes[here]), piece, air.place(nodes[there])])
        lanes = MAIN_LANES + int(added)
        air.pieces.append(Carriageway(nodes[here], nodes[there], LineString(points), highway, lanes, owner))
    for ramp in ramps:
        node = nodes[float(np.round(ramp.at, 1))]
        start, end = (node, ramp.node) if ramp.leaving else (ramp.node, node)
        curve = _ramp_curve(air.place(start), air.place(end), _heading(line, ramp.at), ramp.leaving)
        air.pieces.append(Carriageway(start, end, curve, f"{highway}_link", 1, owner))


def _extra_lanes(ramps: Sequence[_Ramp], length: float) -> Iterator[tuple[float, float]]:
    """Yield the stretches (start, end) with an extra lane: before exits, after entries, between the two if near."""
    for n, ramp in enumerate(ramps):
        after = ramps[(n + 1) % len(ramps)]
        gap = (after.at - ramp.at) % length
        if not ramp.leaving:
            weave = after.leaving and gap < 2.5 * AUXILIARY
            yield ramp.at, ramp.at + (gap if weave else min(AUXILIARY, 0.4 * gap))
        if after.leaving and (ramp.leaving or gap >= 2.5 * AUXILIARY):
            yield after.at - min(AUXILIARY, 0.4 * gap), after.at


def _ramp_curve(start: Floats, end: Floats, heading: Floats, leaving: bool) -> LineString:
    """Return a ramp's line: tangent to the expressway at its end, easing over to the other."""
    reach = 0.45 * float(np.hypot(*(end - start)))
    free = (end - start) / max(float(np.hypot(*(end - start))), 1.0)
    first, last = (heading, free) if leaving else (free, heading)
    t = np.linspace(0, 1, 9)[:, None]
    control = (start, start + reach * first, end - reach * last, end)
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    return LineString(sum(w * np.asarray(c) for w, c in zip(weights, control, strict=True)))


def _both_ways(line: LineString, crossings: Sequence[float]) -> list[tuple[LineString, list[float]]]:
    """Return a ring in both driving directions, with its crossings measured along each."""
    return [(line, list(crossings)), (line.reverse(), [line.length - s for s in reversed(crossings)])]


def _heading(line: LineString, s: float) -> Floats:
    here, there = (np.asarray(line.interpolate((s + d) % line.length).coords[0]) for d in (-5.0, 5.0))
    return np.asarray((there - here) / np.hypot(*(there - here)))


def _beside(line: LineString, s: float, offset: float) -> Floats:
    """Return the point `offset` metres to the right of `line` at `s` (taken round and round)."""
    x, y = _heading(line, s)
    return np.asarray(line.interpolate(s % line.length).coords[0]) + offset * np.array([y, -x])


def _offset(line: LineString) -> LineString:
    """Return the right-hand carriageway of `line`, vertex by vertex, so that shares of length stay what they are."""
    closed = line.coords[0] == line.coords[-1]
    points = resample(line, 30.0)
    if closed:
        tangent = np.roll(points[:-1], -1, 0) - np.roll(points[:-1], 1, 0)
        tangent = np.vstack([tangent, tangent[:1]])
    else:
        tangent = np.gradient(points, axis=0)
    tangent /= np.hypot(*tangent.T)[:, None]
    return LineString(points + CARRIAGEWAY_OFFSET * np.column_stack([tangent[:, 1], -tangent[:, 0]]))


def _along(ring: LineString, start: float, run: float) -> Floats:
    """Return the vertices of a closed line strictly between two shares of its length, going round past its end."""
    points = shapely.get_coordinates(ring)[:-1]
    share = np.arange(len(points)) / len(points)
    ahead = (share - start) % 1.0
    margin = 8.0 / ring.length
    chosen = np.flatnonzero((ahead > margin) & (ahead < run - margin))
    return np.asarray(points[chosen[np.argsort(ahead[chosen])]])


def _apart(one: float, two: float, length: float) -> float:
    gap = abs(one - two) % length
    return min(gap, length - gap)
