"""Detectors on the road: the newest interval of each, and the link it stands for."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cityops.technology.geo.basemap import Basemap

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

STANDING_OCCUPANCY: Final = 0.5
"""Nobody passed a detector covered this share of the interval: traffic stands; covered less: the road is empty."""


def effective_speed(speed: Floats, occupancy: Floats, free_speed: Floats) -> Floats:
    """Return km/h of intervals, where none passed (NaN): 0 when the detector was covered, else free-flow speed."""
    stands = np.nan_to_num(occupancy) >= STANDING_OCCUPANCY
    return np.where(np.isnan(speed), np.where(stands, 0.0, free_speed), speed)


class Detectors:
    """Newest interval by detector, as arrays: link row (-1 off the map), speed km/h, flow veh/h, end in epoch s."""

    def __init__(self, city: Basemap) -> None:
        self._city = city
        self._free_speed = city.links["free_speed_kmh"].to_numpy()
        planned = city.places_of("detector")
        self._planned = dict(zip(planned["place_id"].to_pylist(), planned["link_id"].to_pylist(), strict=True))
        self._row: dict[str, int] = {}
        self.link: Rows = np.empty(0, np.int64)
        self.speed: Floats = np.empty(0)
        self.flow: Floats = np.empty(0)
        self.at: Floats = np.empty(0)

    def __len__(self) -> int:
        return len(self._row)

    def receive(self, rows: pa.Table) -> Rows:
        """Take rows of TrafficFlowObserved; return the places (in the arrays) of detectors that have news."""
        ids = rows["detector_id"].to_pylist()
        unknown = [n for n, detector in enumerate(ids) if detector not in self._row]
        if unknown:
            self._add([ids[n] for n in unknown], self._links_of(rows.take(unknown)))
        place: Rows = np.array([self._row[detector] for detector in ids], np.int64)
        at = rows["observed_at"].cast(pa.int64()).to_numpy() / 1000
        newer = at > self.at[place]
        place, at = np.asarray(place[newer]), at[newer]
        speed, occupancy, flow = (
            rows[name].to_numpy()[newer] for name in ("average_vehicle_speed", "occupancy", "intensity")
        )
        free = np.where(self.link[place] >= 0, self._free_speed[self.link[place]], np.nan)
        self.speed[place] = effective_speed(speed, occupancy, free)
        self.flow[place] = np.nan_to_num(flow)
        self.at[place] = at
        return place

    def links_of(self, ids: list[str]) -> Rows:
        """Return the link row of each detector id, -1 for one not known."""
        rows = np.array([self._row.get(detector, -1) for detector in ids], np.int64)
        return np.asarray(np.where(rows >= 0, self.link[rows], -1)) if len(self.link) else rows

    def online(self, now: float, fresh_s: float) -> int:
        """Return how many detectors have reported within `fresh_s` seconds."""
        return int(np.count_nonzero(now - self.at <= fresh_s))

    def instrumented(self) -> Rows:
        """Return the rows of links with at least one detector."""
        return np.unique(self.link[self.link >= 0])

    def _links_of(self, rows: pa.Table) -> Rows:
        """Return link rows of new detectors: by their own word, else by the city's plan, else the nearest link."""
        index = self._city.link_index
        said = zip(rows["road_segment_id"].to_pylist(), rows["detector_id"].to_pylist(), strict=True)
        found = np.array([index.get(link or self._planned.get(detector, ""), -1) for link, detector in said], np.int64)
        placed = pc.and_(pc.is_valid(rows["longitude"]), pc.is_valid(rows["latitude"])).to_numpy()
        missing = np.flatnonzero((found < 0) & placed)
        if len(missing) and len(index):
            lon, lat = (rows[name].to_numpy()[missing] for name in ("longitude", "latitude"))
            found[missing] = self._city.nearest_links(lon, lat)
        return found

    def _add(self, ids: list[str], links: Rows) -> None:
        known = {detector: n for n, detector in reversed(list(enumerate(ids)))}  # one may come twice in a batch
        for detector in known:
            self._row[detector] = len(self._row)
        self.link = np.concatenate([self.link, links[list(known.values())]])
        self.speed = np.concatenate([self.speed, np.full(len(known), np.nan)])
        self.flow = np.concatenate([self.flow, np.zeros(len(known))])
        self.at = np.concatenate([self.at, np.full(len(known), -np.inf)])
