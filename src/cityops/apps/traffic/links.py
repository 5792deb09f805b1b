"""Speed of every road link now: probe vehicles matched to links, their speeds and the detectors' fused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

from cityops.technology.geo.coordinates import LocalPlane

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Geometries = npt.NDArray[np.object_]

REACH_M: Final = 20.0
"""A probe farther from every link than this is off the road."""
MAX_TURN_DEG: Final = 45.0
"""A probe that moves otherwise than the link by more than this is on another one (or on its opposite direction)."""
TURN_COST_M: Final = 0.2
"""One degree of disagreement weighs as much as this many metres of distance."""
PROBE_HALF_LIFE_S: Final = 120.0
"""Age at which a probe's reading counts half."""
MIN_PASSES: Final = 1.5
"""Different probes on a link (fading too) below which their readings say nothing: one car may just wait at a light."""
DETECTOR_WEIGHT: Final = 4.0
"""A fresh detector interval counts as this many probe readings."""


class LinkMatcher:
    """Finds the directed link a vehicle drives on."""

    def __init__(self, lines: Geometries, plane: LocalPlane) -> None:
        """Index `lines` (LineStrings in lon/lat, one a directed link)."""
        self._plane = plane
        coordinates, line = shapely.get_coordinates(lines, return_index=True)
        x, y = plane.to_metres(coordinates[:, 0], coordinates[:, 1])
        inside = line[1:] == line[:-1]
        starts = np.column_stack([x[:-1], y[:-1]])[inside]
        ends = np.column_stack([x[1:], y[1:]])[inside]
        self._link: Rows = line[1:][inside].astype(np.int64)
        self._bearing = np.degrees(np.arctan2(ends[:, 0] - starts[:, 0], ends[:, 1] - starts[:, 1])) % 360
        self._segments = shapely.linestrings(np.stack([starts, ends], axis=1))
        self._tree = shapely.STRtree(self._segments)

    def match(self, lon: Floats, lat: Floats, heading: Floats) -> Rows:
        """Return for every point (heading in degrees clockwise from north) the row of its link, -1 for none."""
        points = shapely.points(*self._plane.to_metres(lon, lat))
        rows = np.full(len(points), -1, np.int64)
        point, segment = self._tree.query(points, predicate="dwithin", distance=REACH_M)
        turn = np.abs((heading[point] - self._bearing[segment] + 180) % 360 - 180)
        fits = turn <= MAX_TURN_DEG  # an unknown heading (NaN) fits nothing
        point, segment, turn = point[fits], segment[fits], turn[fits]
        cost = shapely.distance(points[point], self._segments[segment]) + TURN_COST_M * turn
        worst_first = np.argsort(-cost, kind="stable")
        rows[point[worst_first]] = self._link[segment[worst_first]]
        return rows


@dataclass
class LinkSpeeds:
    """Fuses readings into one speed a link. Speeds are km/h, times epoch seconds; arrays have one place a link.

    Probe readings come at a constant period, so their plain mean is distance over time: the mean travel speed that
    GB/T 33171-2016 judges, waits at signals included. Old readings fade with PROBE_HALF_LIFE_S.
    """

    count: int
    detector_fresh_s: float
    _probe_sum: Floats = field(init=False)
    _probe_weight: Floats = field(init=False)
    _probe_at: Floats = field(init=False)
    _passes: Floats = field(init=False)
    _last_probe: Rows = field(init=False)
    _detector_speed: Floats = field(init=False)
    _detector_at: Floats = field(init=False)

    def __post_init__(self) -> None:
        self._probe_sum = np.zeros(self.count)
        self._probe_weight = np.zeros(self.count)
        self._probe_at = np.zeros(self.count)
        self._passes = np.zeros(self.count)
        self._last_probe = np.full(self.count, -1)
        self._detector_speed = np.full(self.count, np.nan)
        self._detector_at = np.full(self.count, -np.inf)

    def add_probes(self, link: Rows, probe: Rows, speed: Floats, at: Floats) -> None:
        """Add readings of probes (any number that tells them apart) on links."""
        touched, place = np.unique(link, return_inverse=True)
        newest = self._probe_at[touched]
        np.maximum.at(newest, place, at)
        fade = 0.5 ** ((newest - self._probe_at[touched]) / PROBE_HALF_LIFE_S)
        weight = 0.5 ** ((newest[place] - at) / PROBE_HALF_LIFE_S)
        self._probe_sum[touched] = self._probe_sum[touched] * fade + np.bincount(place, weight * speed, len(touched))
        self._probe_weight[touched] = self._probe_weight[touched] * fade + np.bincount(place, weight, len(touched))
        new_pass = probe != self._last_probe[link]
        self._passes[touched] = self._passes[touched] * fade + np.bincount(place, weight * new_pass, len(touched))
        self._last_probe[link] = probe
        self._probe_at[touched] = newest

    def set_detectors(self, link: Rows, speed: Floats, flow: Floats, at: Floats) -> None:
        """Set the speed on links from all their detectors (one a lane, say), weighed by flow."""
        weight = np.maximum(flow, 1.0)
        touched, place = np.unique(link, return_inverse=True)
        total = np.bincount(place, weight, len(touched))
        self._detector_speed[touched] = np.bincount(place, weight * speed, len(touched)) / total
        newest = np.full(len(touched), -np.inf)
        np.maximum.at(newest, place, at)
        self._detector_at[touched] = newest

    def speeds(self, now: float) -> Floats:
        """Return the speed on every link, NaN where nothing fresh is known."""
        fresh = now - self._detector_at <= self.detector_fresh_s
        detector_weight = np.where(fresh, DETECTOR_WEIGHT, 0.0)
        fade = 0.5 ** (np.maximum(now - self._probe_at, 0.0) / PROBE_HALF_LIFE_S)
        probe_weight = np.where(self._passes * fade >= MIN_PASSES, self._probe_weight * fade, 0.0)
        with np.errstate(invalid="ignore"):
            probe_speed = np.where(self._probe_weight > 0, self._probe_sum / self._probe_weight, 0.0)
            total = detector_weight + probe_weight
            detector_speed = np.where(fresh, self._detector_speed, 0.0)
            return np.asarray((detector_weight * detector_speed + probe_weight * probe_speed) / total)
