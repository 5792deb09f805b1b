"""Shapes of what the IOC itself sends: events of its own topics, and answers of its API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from cityops.apps.manifest import LayerKind, LegendItem
from cityops.apps.panels import PanelKind, Severity, Text

Mode = Literal["live", "replay", "drill"]
Step = Literal["raw", "1m", "1h", "1d"]


@dataclass(frozen=True, slots=True)
class ClockEvent:
    """Event of the topic `clock`, once a second: its `t` is the time on screen."""

    mode: Mode


@dataclass(frozen=True, slots=True)
class TickerItem:
    """One thing that happened at `at` (epoch ms)."""

    at: int
    text: Text
    level: Severity | None = None


@dataclass(frozen=True, slots=True)
class TickerEvent:
    """Event of the topic `ticker`: newest first."""

    items: Sequence[TickerItem]


@dataclass(frozen=True, slots=True)
class DistrictInfo:
    """A district with a point inside it for its name."""

    id: str
    name: Text
    center: tuple[float, float]
    population: int


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """A map layer; `image` is the address of an image layer's picture."""

    id: str
    app: str
    kind: LayerKind
    title: Text
    topic: str
    legend: Sequence[LegendItem]
    shown: bool
    image: str | None


@dataclass(frozen=True, slots=True)
class CityInfo:
    """The city on screen: center and bounds are lon/lat (west, south, east, north); `tiles` is the PMTiles' address."""

    id: str
    name: Text
    division_code: str
    center: tuple[float, float]
    bounds: tuple[float, float, float, float]
    timezone: str
    population: int
    source: str
    crs: str
    counts: Mapping[str, int]
    tiles: str | None
    districts: Sequence[DistrictInfo]
    layers: Sequence[LayerInfo]
    topics: Sequence[str]


@dataclass(frozen=True, slots=True)
class PanelInfo:
    """A panel: its data arrive on `topic`."""

    id: str
    app: str
    column: Literal["left", "right"]
    order: int
    kind: PanelKind
    title: Text
    unit: Text | None
    topic: str


@dataclass(frozen=True, slots=True)
class PlaceInfo:
    """A place of the city."""

    id: str
    kind: str
    name: Text
    lon: float
    lat: float
    district_id: str


@dataclass(frozen=True, slots=True)
class LatestRows:
    """Newest row of entities of a contract: `rows` are objects of its properties; times are epoch ms."""

    contract: str
    entity: str
    time: str
    units: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class SeriesPoints:
    """History of one property of one entity: points are [epoch ms, mean, minimum, maximum, readings] of every step."""

    contract: str
    entity: str
    property: str
    unit: str | None
    step: Step
    points: Sequence[tuple[int, float | None, float | None, float | None, int]]


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """Where an image layer's picture is, over which bounds (west, south, east, north), and of when (epoch ms)."""

    url: str
    bounds: tuple[float, float, float, float]
    at: int


@dataclass(frozen=True, slots=True)
class Check:
    """One thing the IOC depends on."""

    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """`status` is ok when all checks are; the IOC serves what it can meanwhile."""

    status: Literal["ok", "degraded"]
    version: str
    mode: Mode
    uptime_s: float
    clients: int
    checks: Mapping[str, Check] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error (RFC 9457); further members say what would be right."""

    type: str
    title: str
    status: int
    detail: str
