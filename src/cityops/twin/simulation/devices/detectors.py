"""Traffic detectors: loops of all lanes at one cross-section, counted over a minute that begins when it suits each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from cityops.twin.simulation.city import Floats, Loop, Site
from cityops.twin.simulation.devices.observation import Observation, offset_of, point
from cityops.twin.simulation.timing import iso

CONTRACT, SOURCE = "TrafficFlowObserved", "traffic-detectors"
SLICE_S = 5
"""Loops are read so often; a report adds up the slices of its minute."""
INTERVAL_S = 60
_SLICES = INTERVAL_S // SLICE_S
_WEIGHTS = {"motorway": 20.0, "trunk": 20.0, "primary": 4.0, "secondary": 2.0, "tertiary": 1.0}


class LoopCount(NamedTuple):
    """One loop over one slice: vehicles that passed, share of time it was covered (0..1), their mean speed (m/s)."""

    loop: str
    vehicles: int
    occupancy: float
    speed: float


class Detectors:
    """All detectors of a city; reports once a minute each, and only minutes that were observed from end to end."""

    def __init__(self, sites: Sequence[Site], loops: Iterable[Loop], gateways: Mapping[str, str]) -> None:
        """`gateways` names the cabinet of every site; a loop is called after its site, `<site>_<lane>`."""
        self._sites = sites
        self._gateways = gateways
        row = {site.id: number for number, site in enumerate(sites)}
        self._site_of = {loop.id: row[name] for loop in loops if (name := loop.id.rpartition("_")[0]) in row}
        self._lanes = np.maximum(np.bincount(list(self._site_of.values()), minlength=len(sites)), 1)
        self._phase = np.array([offset_of(site.id, _SLICES) for site in sites], np.int64)
        self._totals = np.zeros((3, _SLICES, len(sites)))  # vehicles, covered lane-seconds, sum of speeds
        self._slice_end: int | None = None
        self._unbroken = 0

    def record(self, end: int, counts: Iterable[LoopCount]) -> None:
        """Take the slice that ended at `end` (s since the epoch)."""
        self._unbroken = self._unbroken + 1 if self._slice_end == end - SLICE_S else 1
        self._slice_end = end
        total = self._totals[:, (end // SLICE_S) % _SLICES]
        total[:] = 0
        for loop, vehicles, occupancy, speed in counts:
            if (site := self._site_of.get(loop)) is not None:
                total[1, site] += occupancy * SLICE_S
                if vehicles:
                    total[0, site] += vehicles
                    total[2, site] += vehicles * speed

    def reports(self) -> list[Observation]:
        """Return the reports of the detectors whose minute ended with the slice recorded last."""
        if self._slice_end is None or self._unbroken < _SLICES:
            return []
        due = np.flatnonzero(self._phase == (self._slice_end // SLICE_S) % _SLICES)
        vehicles, covered, speeds = self._totals.sum(axis=1)
        return [self._report(int(row), float(vehicles[row]), float(covered[row]), float(speeds[row])) for row in due]

    def _report(self, row: int, vehicles: float, covered: float, speeds: float) -> Observation:
        site = self._sites[row]
        body: dict[str, object] = {
            "detector_id": site.id,
            "observed_at": iso(self._slice_end or 0),
            "intensity": vehicles * 3600 / INTERVAL_S,
            "occupancy": round(min(1.0, covered / (INTERVAL_S * int(self._lanes[row]))), 4),
            "road_segment_id": site.link,
            "location": point(site.lon, site.lat),
        }
        if vehicles:
            body["average_vehicle_speed"] = round(speeds / vehicles * 3.6, 1)
        return Observation(CONTRACT, SOURCE, self._gateways[site.id], body)


def chosen(sites: Sequence[Site], highway: Mapping[str, str], most: int) -> list[Site]:
    """Return at most `most` detectors, evenly along the roads of each class and denser on the greater ones."""
    if len(sites) <= most:
        return list(sites)
    weight = np.array([_WEIGHTS.get(highway.get(site.link, "").removesuffix("_link"), 1.0) for site in sites])
    density = _fill(weight, most)
    taken = np.floor(np.cumsum(density) + 1e-9) > np.floor(np.cumsum(density) - density + 1e-9)
    return [site for site, take in zip(sites, taken, strict=True) if take][:most]


def _fill(weight: Floats, total: float) -> Floats:
    """Return shares 0..1 that are proportional to `weight` where they are below 1 and that sum to `total`."""
    low, high = 0.0, 1.0 / weight.min()
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if np.minimum(1.0, middle * weight).sum() < total else (low, middle)
    return np.minimum(1.0, low * weight)
