"""Level of service of a road link, and the traffic performance index of a network: pure arithmetic on arrays."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from cityops.apps.panels import Text

Floats = npt.NDArray[np.float64]
Levels = npt.NDArray[np.uint8]

UNKNOWN: Final = 0
"""No fresh data."""
CONGESTED: Final = 4
"""From this level on (中度拥堵) a link counts as congested."""

RATIO_BOUNDS: Final = (0.7, 0.5, 0.4, 0.3)
"""GB/T 33171-2016, state of a road section by mean travel speed over free-flow speed: 畅通 above 0.7, 基本畅通 above
0.5, 轻度拥堵 above 0.4, 中度拥堵 above 0.3, 严重拥堵 from 0.3 down."""

LOS_NAMES: Final = {
    1: Text("畅通", "Free flow"),
    2: Text("基本畅通", "Mostly free"),
    3: Text("轻度拥堵", "Slight congestion"),
    4: Text("中度拥堵", "Moderate congestion"),
    5: Text("严重拥堵", "Severe congestion"),
}

TTI_POINTS: Final = (1.0, 1.2, 1.5, 1.8, 2.1, 2.4)
TPI_POINTS: Final = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)
"""Beijing's public reading of the index (DB11/T 785-2011): 2-4 costs 0.2-0.5 times more travel time than free flow,
4-6 0.5-0.8, 6-8 0.8-1.1, 8-10 more than 1.1. Linear between; the last point continues the slope of the one before."""


def level_of_service(speed: npt.ArrayLike, free_speed: npt.ArrayLike) -> Levels:
    """Return level 1 (畅通) … 5 (严重拥堵) of speeds against free-flow speeds (same unit); NaN gives UNKNOWN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.asarray(speed, np.float64) / np.asarray(free_speed, np.float64)
    levels = np.ones(ratio.shape, np.uint8)
    for bound in RATIO_BOUNDS:
        levels += ratio <= bound
    return np.where(np.isfinite(ratio), levels, np.uint8(UNKNOWN)).astype(np.uint8)


def travel_time_index(speed: Floats, free_speed: Floats, weight: Floats) -> float:
    """Return actual over free-flow travel time of a network, each link weighed by `weight` (vehicle-kilometres).

    Speeds above free flow count as free flow; NaN for a network without a known link. A standing link counts as
    moving at a tenth of free flow, so that one closed link does not make the whole network infinite.
    """
    known = np.isfinite(speed) & (weight > 0)
    if not known.any():
        return float("nan")
    slowness = free_speed[known] / np.clip(speed[known], 0.1 * free_speed[known], free_speed[known])
    hours_free = weight[known] / free_speed[known]
    return float(np.sum(hours_free * slowness) / np.sum(hours_free))


def performance_index(tti: npt.ArrayLike) -> Floats:
    """Return the traffic performance index 0-10 of travel time indices; NaN stays NaN."""
    return np.interp(np.asarray(tti, np.float64), TTI_POINTS, TPI_POINTS)


def index_level(tpi: float) -> int:
    """Return the level 1 (畅通) … 5 (严重拥堵) of a performance index: five steps of two (DB11/T 785-2011)."""
    return min(5, 1 + int(tpi // 2))
