"""生态环境: manifest of the environment app."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cityops.apps.environment.aqi import LEVELS
from cityops.apps.manifest import App, Layer, LegendItem, Panel, Topic
from cityops.apps.panels import Text


@dataclass(frozen=True, slots=True)
class StationRow:
    """One air station: AQI and level 1-6 of its last hour, means of that hour (µg/m³, CO mg/m³), time in epoch ms."""

    id: str
    name: Text
    lon: float
    lat: float
    aqi: int | None
    level: int | None
    primary: Sequence[str]
    pm25: float | None
    pm10: float | None
    so2: float | None
    no2: float | None
    o3: float | None
    co: float | None
    observed_at: int
    stale: bool


@dataclass(frozen=True, slots=True)
class AirEvent:
    """Event of the topic `air`: stations with news; `image` is the time (epoch ms) of the picture between them."""

    set: Sequence[StationRow]
    image: int | None


_COLORS: Final = ("#4a5d75", "#5d7189", "#e2b23c", "#f08c3a", "#e5484d", "#963c82")
"""Good air is slate: colour is for the abnormal."""

APP: Final = App(
    name="environment",
    title=Text("生态环境", "Environment"),
    reads=("AirQualityObserved",),
    topics=(Topic("air", AirEvent, every=0.5, contracts=("AirQualityObserved",)),),
    panels=(Panel("air", "bars", Text("分区空气质量", "Air quality by district"), "left", 20, Text("AQI", "AQI")),),
    layers=(
        Layer(
            "air",
            "image",
            Text("空气质量分布", "Air quality"),
            "air",
            tuple(LegendItem(n, name, _COLORS[n - 1]) for n, (_, name) in enumerate(LEVELS, 1)),
        ),
        Layer("air_stations", "points", Text("空气站", "Air stations"), "air"),
    ),
    live="cityops.apps.environment.live:EnvironmentLive",
)
