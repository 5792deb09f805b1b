"""智能交通: manifest of the traffic app."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cityops.apps.manifest import App, Layer, LegendItem, Panel, Topic
from cityops.apps.panels import Text
from cityops.apps.traffic.los import LOS_NAMES


@dataclass(frozen=True, slots=True)
class LinksEvent:
    """Event of the topic `traffic.links`: fid, level of service, fid, level, …; level 1-5, 0 without fresh data."""

    set: Sequence[int]


_COLORS: Final = {1: "#4a5d75", 2: "#5d7189", 3: "#e2b23c", 4: "#f08c3a", 5: "#e5484d"}

APP: Final = App(
    name="traffic",
    title=Text("智能交通", "Traffic"),
    reads=("TrafficFlowObserved", "UnitPosition"),
    topics=(Topic("traffic.links", LinksEvent, every=0.2, contracts=("TrafficFlowObserved",)),),
    panels=(
        Panel("tpi", "trend", Text("交通运行指数 · 近 1 小时", "Traffic index · last hour"), "left", 10),
        Panel("congestion", "list", Text("拥堵路段", "Congested roads"), "right", 20),
        Panel(
            "flow",
            "hours",
            Text("路网流量 · 24 小时", "Traffic volume · 24 hours"),
            "right",
            30,
            Text("辆/时", "veh/h"),
        ),
    ),
    layers=(
        Layer(
            "traffic",
            "road-state",
            Text("道路运行状况", "Road state"),
            "traffic.links",
            tuple(LegendItem(los, name, _COLORS[los]) for los, name in LOS_NAMES.items()),
        ),
    ),
    live="cityops.apps.traffic.live:TrafficLive",
)
