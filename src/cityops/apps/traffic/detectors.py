"""Detectors on the road: the newest interval of each, and the link it stands for."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from cityops.data.live.table import LiveTable
from cityops.technology.geo.basemap import Basemap

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

STANDING_OCCUPANCY: Final = 0.5
"""A detector covered this share of the interval or more stands in a queue, whoever passed."""
SPARSE_FLOW: Final = 300.0
"""Vehicles an hour (five a minute) below which no mean can be made: a single slow car is a turn or a red light."""


def effective_speed(speed: Floats, occupancy: Floats, flow: Floats, free_speed: Floats) -> Floats:
    """Return the km/h at which traffic moves by intervals of detectors.

    What they measured, but where hardly anybody passed: standing traffic when the detector was covered, else a free
    road. Congestion shows in flow or in occupancy; a slow car alone on the road is neither.
    """
    stands = np.nan_to_num(occupancy) >= STANDING_OCCUPANCY
    sparse = (np.nan_to_num(flow) < SPARSE_FLOW) & ~stands
    return np.where(sparse, np.fmax(speed, free_speed), np.where(np.isnan(speed) & stands, 0.0, speed))


class Detectors:
    """Newest interval by row of the live table: link row (-1 off the map), speed km/h, flow veh/h, end in epoch s."""

    def __init__(self, city: Basemap) -> None:
        self._city = city
        self._free_speed = city.links["free_speed_kmh"].to_numpy()
        planned = city.places_of("detector")
        self._planned = dict(zip(planned["place_id"].to_pylist(), planned["link_id"].to_pylist(), strict=True))
        self._table: LiveTable | None = None
        self.link: Rows = np.empty(0, np.int64)
        self.speed: Floats = np.empty(0)
        self.flow: Floats = np.empty(0)
        self.at: Floats = np.empty(0)

    def __len__(self) -> int:
        return len(self.link)

    def receive(self, table: LiveTable) -> None:
        """Take the live table of TrafficFlowObserved as it is now."""
        self._table = table
        if len(table) > len(self.link):
            self.link = np.concatenate([self.link, self._placed(table, np.arange(len(self.link), len(table)))])
        free = self.free_speed_of(self.link)
        self.speed = effective_speed(
            table.column("average_vehicle_speed"), table.column("occupancy"), table.column("intensity"), free
        )
        self.flow = np.nan_to_num(table.column("intensity"))
        self.at = table.column("observed_at") / 1000

    def free_speed_of(self, links: Rows) -> Floats:
        """Return the free-flow speed on link rows, NaN for -1."""
        return np.where(links >= 0, self._free_speed[links], np.nan)

    def links_of(self, ids: list[str]) -> Rows:
        """Return the link row of each detector id, -1 for one not known."""
        table = self._table
        rows = [table.row_of(detector) if table and detector in table else -1 for detector in ids]
        return np.array([self.link[row] if row >= 0 else -1 for row in rows], np.int64)

    def online(self, now: float, fresh_s: float) -> int:
        """Return how many detectors have reported within `fresh_s` seconds."""
        return int(np.count_nonzero(now - self.at <= fresh_s))

    def _placed(self, table: LiveTable, rows: Rows) -> Rows:
        """Return link rows of new detectors: by their own word, else by the city's plan, else the nearest link."""
        index = self._city.link_index
        said = zip(table.column("road_segment_id")[rows], table.column("detector_id")[rows], strict=True)
        found = np.array([index.get(link or self._planned.get(detector, ""), -1) for link, detector in said], np.int64)
        lon, lat = table.column("longitude")[rows], table.column("latitude")[rows]
        missing = np.flatnonzero((found < 0) & np.isfinite(lon) & np.isfinite(lat))
        if len(missing) and len(index):
            found[missing] = self._city.nearest_links(lon[missing], lat[missing])
        return found
