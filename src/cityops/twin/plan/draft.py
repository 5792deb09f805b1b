"""A draft of streets: lines laid one after another, each giving way to those there before and meeting them squarely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry import LineString, Point

OVERSHOOT = 3.0
"""Metres a line runs past the one it meets, so that the crossing is found for certain; stubs are pruned later."""


@dataclass(frozen=True)
class Street:
    """What is known of a street before it has links: its part in the plan, class, rank (0 is laid first) and bearing.

    `kind` is ring, axis, radial, quay, shore, grid, frontage, ramp, expressway or local; `key` tells rings, rivers
    and lakes apart for naming. `bearing` is "ew", "ns" or "" where the street goes round.
    """

    kind: str
    highway: str
    rank: int
    bearing: str = ""
    key: int = 0


class Draft:
    """Street lines in the making. `lines[i]` belongs to `streets[owners[i]]`."""

    def __init__(self) -> None:
        self.streets: list[Street] = []
        self.lines: list[LineString] = []
        self.owners: list[int] = []

    def street(self, street: Street) -> int:
        """Enter a street; returns its number."""
        self.streets.append(street)
        return len(self.streets) - 1

    def lines_of(self, *kinds: str) -> list[LineString]:
        """Return the lines of streets of the given kinds."""
        return [line for line, n in zip(self.lines, self.owners, strict=True) if self.streets[n].kind in kinds]

    def put(self, line: LineString, owner: int) -> None:
        """Lay `line` exactly as it is."""
        if line.length > 1:
            self.lines.append(line)
            self.owners.append(owner)

    def lay(
        self,
        line: LineString,
        owner: int,
        *,
        gap: float,
        barrier: shapely.Geometry | None = None,
        crossing: float = 3.0,
    ) -> None:
        """Lay `line` where it has room: not in `barrier`, and not within `gap` metres alongside a line laid before.

        A stretch within `gap` of other lines is kept where it crosses them (shorter than `crossing` gaps); else the
        line ends there and is joined square to its neighbour.
        """
        whole = line if barrier is None else line.difference(barrier)
        for part in shapely.get_parts(whole):
            if part.length > gap:
                self._lay_part(part, owner, gap, crossing * gap)

    def _lay_part(self, line: LineString, owner: int, gap: float, crossing: float) -> None:
        room = line.buffer(gap)
        near = [other for other in self.lines if other.intersects(room)]
        if not near:
            self.put(line, owner)
            return
        others = shapely.union_all(near)
        close = others.buffer(gap)
        pieces = [(line.project(Point(part.coords[0])), False, part) for part in _lines(line.difference(close))]
        pieces += [(line.project(Point(part.coords[0])), True, part) for part in _lines(line.intersection(close))]
        pieces.sort(key=lambda piece: piece[0])
        keep = [
            (part.length <= crossing and 0 < n < len(pieces) - 1) if is_close else part.length > 0.8 * gap
            for n, (_, is_close, part) in enumerate(pieces)
        ]
        for n, (_, is_close, _) in enumerate(pieces):  # a crossing counts only between stretches that stand
            if is_close and keep[n]:
                keep[n] = keep[n - 1] and keep[n + 1]
        run: list[tuple[float, float]] = []
        for n, (_, is_close, part) in enumerate(pieces):
            if not keep[n]:
                self._end(run, others, owner, gap)
                run = []
                continue
            if not run and not is_close and n > 0:
                run = _joint(part.coords[0], others, gap)[::-1]
            run += part.coords[1:] if run else part.coords
            if not is_close and n + 1 < len(pieces) and not keep[n + 1]:
                run += _joint(part.coords[-1], others, gap)
        self._end(run, others, owner, gap)

    def _end(self, run: list[tuple[float, float]], others: shapely.Geometry, owner: int, gap: float) -> None:
        if len(run) > 1 and (line := LineString(run)).length > 0.6 * gap:
            self.put(line, owner)


def _joint(end: tuple[float, float], others: shapely.Geometry, gap: float) -> list[tuple[float, float]]:
    """Return the point just past the nearest of `others` to which a line ending at `end` is led; none if too far."""
    start = np.asarray(end)
    foot = np.asarray(shapely.shortest_line(Point(end), others).coords[-1])
    way = float(np.hypot(*(foot - start)))
    if not 0 < way <= 1.5 * gap:
        return []
    past = foot + (foot - start) / way * OVERSHOOT
    return [(float(past[0]), float(past[1]))]


def _lines(shape: shapely.Geometry) -> list[LineString]:
    return [part for part in shapely.get_parts(shape) if part.geom_type == "LineString" and part.length > 0]
