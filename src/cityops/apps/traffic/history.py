"""What the warehouse remembers of traffic: the performance index by the minute, flow by the hour."""

# ruff: noqa: S608  # names are constants here, values are bound
from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cityops.apps.live import Questions
from cityops.apps.traffic.detectors import Detectors, effective_speed
from cityops.apps.traffic.los import performance_index, travel_time_index
from cityops.data.contract import DATABASE

Floats = npt.NDArray[np.float64]

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS

_MINUTES: Final = f"""
SELECT toUnixTimestamp(observed_at) * 1000 AS minute, detector_id,
  sum(average_vehicle_speed_sum) / sum(average_vehicle_speed_n) AS speed,
  sum(occupancy_sum) / sum(occupancy_n) AS occupancy, sum(intensity_sum) / sum(intensity_n) AS flow
FROM {DATABASE}.traffic_flow_observed_1m
WHERE observed_at >= fromUnixTimestamp({{since:Int64}}) AND observed_at < fromUnixTimestamp({{until:Int64}})
GROUP BY detector_id, observed_at"""

_HOURS: Final = f"""
SELECT toUnixTimestamp(observed_at) * 1000 AS hour, sum(passed) AS flow
FROM (
  SELECT observed_at, sum(intensity_sum) / sum(intensity_n) AS passed
  FROM {DATABASE}.traffic_flow_observed_1h
  WHERE observed_at >= fromUnixTimestamp({{since:Int64}}) AND observed_at < fromUnixTimestamp({{until:Int64}})
  GROUP BY detector_id, observed_at
  HAVING sum(intensity_n) > 0
)
GROUP BY observed_at ORDER BY observed_at"""


@dataclass(frozen=True)
class Network:
    """What the index needs to know of links, one place a row: km/h and metres."""

    free_speed: Floats
    length: Floats

    def tpi(self, link: npt.NDArray[np.int64], speed: Floats, flow: Floats) -> float:
        """Return the performance index of a network watched by detectors on `link`; NaN when none is known.

        Each link weighs its vehicle-kilometres: flow times length; one at which nobody passed weighs one vehicle.
        """
        known = (link >= 0) & np.isfinite(speed)
        link, speed, flow = link[known], speed[known], np.maximum(flow[known], 1.0)
        tti = travel_time_index(speed, self.free_speed[link], flow * self.length[link])
        return float(performance_index(tti))


def minutes(answer: pa.Table, detectors: Detectors, network: Network) -> dict[int, float]:
    """Return the performance index by minute (epoch ms of its start) of an answer to the question of minutes."""
    link = detectors.links_of(answer["detector_id"].to_pylist())
    minute = answer["minute"].to_numpy()
    free = detectors.free_speed_of(link)
    flow = np.nan_to_num(_floats(answer, "flow"))
    speed = effective_speed(_floats(answer, "speed"), _floats(answer, "occupancy"), flow, free)
    found: dict[int, float] = {}
    for at in np.unique(minute):
        here = minute == at
        tpi = network.tpi(link[here], speed[here], flow[here])
        if np.isfinite(tpi):
            found[int(at)] = tpi
    return found


async def ask_minutes(warehouse: Questions, since: int, until: int) -> pa.Table:
    """Return speed, occupancy and flow of every detector and minute in [since, until) (epoch ms)."""
    return await warehouse.query(_MINUTES, {"since": since // 1000, "until": until // 1000})


async def ask_hours(warehouse: Questions, since: int, until: int) -> list[tuple[int, float]]:
    """Return the vehicles that passed all detectors by hour in [since, until) (epoch ms); the last as a rate so far."""
    answer = await warehouse.query(_HOURS, {"since": since // 1000, "until": until // 1000})
    return [
        (int(hour), float(flow)) for hour, flow in zip(*(answer[c].to_pylist() for c in ("hour", "flow")), strict=True)
    ]


def _floats(table: pa.Table, column: str) -> Floats:
    return np.asarray(table[column], np.float64)
