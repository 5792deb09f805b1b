"""Air quality index by HJ 633-2026: concentrations in, index, level and primary pollutants out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from types import MappingProxyType
from typing import Final, Literal

from cityops.apps.panels import Text

Pollutant = Literal["so2", "no2", "co", "o3", "pm10", "pm25"]
Period = Literal["1h", "8h", "24h"]

POLLUTANTS: Final[tuple[Pollutant, ...]] = ("pm25", "pm10", "o3", "no2", "so2", "co")

IAQI_POINTS: Final = (0, 50, 100, 150, 200, 300, 400, 500)
"""First column of Table 3."""

LIMITS: Final[Mapping[tuple[Pollutant, Period], tuple[float, ...]]] = MappingProxyType({
    ("so2", "24h"): (0, 50, 150, 475, 800, 1600, 2100, 2620),
    ("so2", "1h"): (0, 150, 500, 650, 800),
    ("no2", "24h"): (0, 40, 80, 180, 280, 565, 750, 940),
    ("no2", "1h"): (0, 100, 200, 700, 1200, 2340, 3090, 3840),
    ("co", "24h"): (0, 2, 4, 14, 24, 36, 48, 60),
    ("co", "1h"): (0, 5, 10, 35, 60, 90, 120, 150),
    ("o3", "8h"): (0, 100, 160, 215, 265, 800),
    ("o3", "1h"): (0, 160, 200, 300, 400, 800, 1000, 1200),
    ("pm10", "24h"): (0, 50, 120, 250, 350, 420, 500, 600),
    ("pm25", "24h"): (0, 35, 60, 115, 150, 250, 350, 500),
})  # fmt: skip
"""Table 3: concentration at every IAQI point, µg/m³ (CO mg/m³). A short row ends where another period takes over."""

HOURLY: Final[Mapping[Pollutant, Period]] = MappingProxyType(
    {"so2": "1h", "no2": "1h", "co": "1h", "o3": "1h", "pm10": "24h", "pm25": "24h"}
)
"""Column of each pollutant in the hourly report: particles use the daily one."""

BEYOND: Final[Mapping[tuple[Pollutant, Period], Period]] = MappingProxyType({("so2", "1h"): "24h", ("o3", "8h"): "1h"})
"""Above the end of a short row the concentration of another period is judged."""

POLLUTANT_NAMES: Final[Mapping[Pollutant, Text]] = MappingProxyType({
    "so2": Text("二氧化硫", "SO₂"),
    "no2": Text("二氧化氮", "NO₂"),
    "co": Text("一氧化碳", "CO"),
    "o3": Text("臭氧", "O₃"),
    "pm10": Text("颗粒物 PM10", "PM10"),
    "pm25": Text("细颗粒物 PM2.5", "PM2.5"),
})  # fmt: skip

LEVELS: Final = (
    (50, Text("优", "Excellent")),
    (100, Text("良", "Good")),
    (150, Text("轻度污染", "Light pollution")),
    (200, Text("中度污染", "Moderate pollution")),
    (300, Text("重度污染", "Heavy pollution")),
    (500, Text("严重污染", "Severe pollution")),
)
"""Upper bounds of the levels 1-6 (一级…六级) and their names."""


@dataclass(frozen=True, slots=True)
class AirQuality:
    """An index with its level 1-6 and primary pollutants (empty up to 50), and the partial index of each pollutant."""

    aqi: int
    level: int
    primary: tuple[Pollutant, ...]
    iaqi: Mapping[Pollutant, int]


def rounded(pollutant: Pollutant, concentration: float) -> Decimal:
    """Return a concentration as the standard rounds it first (GB/T 8170, half to even): whole µg/m³, CO 0.1 mg/m³."""
    step = Decimal("0.1") if pollutant == "co" else Decimal(1)
    return Decimal(str(concentration)).quantize(step, ROUND_HALF_EVEN)


def iaqi(pollutant: Pollutant, concentration: float, period: Period, other: float | None = None) -> int | None:
    """Return the partial index: linear between the points of Table 3, rounded up, 500 at most.

    `other` is the concentration over the period that BEYOND names; without it a value above a short row's end has its
    last point. None for a missing, negative or non-finite concentration.
    """
    if not math.isfinite(concentration) or concentration < 0:
        return None
    value = rounded(pollutant, concentration)
    limits = [Decimal(str(limit)) for limit in LIMITS[pollutant, period]]
    if value > limits[-1]:
        instead = BEYOND.get((pollutant, period))
        if instead and other is not None:
            return iaqi(pollutant, other, instead)
        return IAQI_POINTS[len(limits) - 1]
    for n in range(1, len(limits)):
        if value <= limits[n]:
            low, high = IAQI_POINTS[n - 1], IAQI_POINTS[n]
            return math.ceil((high - low) * (value - limits[n - 1]) / (limits[n] - limits[n - 1]) + low)
    raise AssertionError(value)  # the last limit was checked above


def hourly(concentrations: Mapping[Pollutant, float | None], daily_so2: float | None = None) -> AirQuality | None:
    """Return the hourly report of mean concentrations over one hour, None when there are none.

    SO₂ above 800 µg/m³ is judged by its daily mean (`daily_so2`) when known.
    """
    parts: dict[Pollutant, int] = {}
    for pollutant in POLLUTANTS:
        value = concentrations.get(pollutant)
        if value is not None:
            part = iaqi(pollutant, value, HOURLY[pollutant], daily_so2 if pollutant == "so2" else None)
            if part is not None:
                parts[pollutant] = part
    if not parts:
        return None
    aqi = max(parts.values())
    primary = tuple(p for p in POLLUTANTS if parts.get(p) == aqi) if aqi > 50 else ()
    return AirQuality(aqi, level(aqi), primary, parts)


def level(aqi: float) -> int:
    """Return the level 1 (优) … 6 (严重污染) of an index."""
    return next((n for n, (bound, _) in enumerate(LEVELS, 1) if aqi <= bound), len(LEVELS))


def level_name(of: int) -> Text:
    """Return the name of level 1-6."""
    return LEVELS[of - 1][1]
