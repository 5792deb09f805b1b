"""The shapes of the big screen's panels: every value carries its unit, time, age, and what it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

PanelKind = Literal["kpis", "trend", "bars", "list", "hours", "link"]
Severity = Literal[1, 2, 3, 4]
"""Emergency level: 1 = I red, 2 = II orange, 3 = III yellow, 4 = IV blue (突发事件应对法)."""


@dataclass(frozen=True)
class Text:
    """A label in the two languages of the screens."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A number that a value is held against: a baseline from history or a threshold, in the value's unit."""

    value: float
    label: Text


@dataclass(frozen=True, slots=True)
class Kpi:
    """One key number; `value` is null when nothing is known, `total` makes it "value / total"."""

    key: str
    label: Text
    value: float | None
    unit: Text
    digits: int = 0
    total: float | None = None
    sub: Text | None = None
    level: Severity | None = None
    stale: bool = False
    updated_at: int | None = None
    age_s: float | None = None
    baseline: Reference | None = None
    threshold: Reference | None = None


@dataclass(frozen=True, slots=True)
class Kpis:
    """Panel kind `kpis`."""

    items: Sequence[Kpi]
    updated_at: int | None = None
    age_s: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a trend: points are [epoch ms, value]; a null value is a gap."""

    key: str
    label: Text
    style: Literal["solid", "dashed"]
    points: Sequence[tuple[int, float | None]]


@dataclass(frozen=True, slots=True)
class Trend:
    """Panel kind `trend`."""

    unit: Text
    series: Sequence[Series]
    threshold: Reference | None = None
    digits: int = 1
    updated_at: int | None = None
    age_s: float | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; `level` colours only what is abnormal."""

    id: str
    label: Text
    value: float | None
    level: Severity | None = None
    sub: Text | None = None
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Bars:
    """Panel kind `bars`; `max` is the axis' end."""

    unit: Text
    items: Sequence[Bar]
    max: float
    threshold: Reference | None = None
    updated_at: int | None = None
    age_s: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a list: `badge` an emergency level, `los` a road's level; lon/lat and fid are on the map."""

    id: str
    title: Text
    sub: Text | None = None
    right: Text | None = None
    right2: Text | None = None
    badge: Severity | None = None
    los: int | None = None
    lon: float | None = None
    lat: float | None = None
    fid: int | None = None
    since: int | None = None
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """Panel kind `list`; `total` counts all, of which `items` are the first."""

    items: Sequence[Row]
    total: int
    updated_at: int | None = None
    age_s: float | None = None


@dataclass(frozen=True, slots=True)
class Hours:
    """Panel kind `hours`: points are [epoch ms of the hour's start, value]; the last hour is still running."""

    unit: Text
    points: Sequence[tuple[int, float | None]]
    digits: int = 0
    updated_at: int | None = None
    age_s: float | None = None


PanelData = Kpis | Trend | Bars | Rows | Hours

SHAPES: dict[PanelKind, type] = {"kpis": Kpis, "trend": Trend, "bars": Bars, "list": Rows, "hours": Hours}
"""The shape of every kind of panel an app may own; `link` is the platform's own."""


def age(updated_at: int | None, now: float) -> float | None:
    """Return the seconds from `updated_at` (epoch ms) to `now` (epoch s), never negative; None stays None."""
    return None if updated_at is None else max(0.0, round(now - updated_at / 1000, 1))


def undated(panel: PanelData) -> PanelData:
    """Return what `panel` says without when: two that are equal so show the same."""
    if isinstance(panel, Kpis):
        panel = replace(panel, items=[replace(item, updated_at=None) for item in panel.items])
    return replace(panel, updated_at=None)


def aged(panel: PanelData, now: float) -> PanelData:
    """Return `panel` with its ages as of `now` (epoch s)."""
    if isinstance(panel, Kpis):
        panel = replace(panel, items=[replace(item, age_s=age(item.updated_at, now)) for item in panel.items])
    return replace(panel, age_s=age(panel.updated_at, now))
