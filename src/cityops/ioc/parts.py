"""Live parts of the installed apps, tied to the feed: a source a topic, a source a panel, and what all add to."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from cityops.apps.live import Live, Notice, Questions
from cityops.apps.manifest import App, Panel
from cityops.apps.panels import Kpi, Kpis, PanelData, PanelKind, Text, aged, undated
from cityops.data.contract import Contract
from cityops.data.live.table import Change, LiveTable
from cityops.data.warehouse.client import WarehouseError
from cityops.ioc.shapes import TickerEvent, TickerItem
from cityops.technology.geo.basemap import Basemap
from cityops.technology.telemetry import Log

log = Log(__name__)
T = TypeVar("T")

PANEL_EVERY_S: Final[Mapping[PanelKind, float]] = {
    "kpis": 1.0,
    "list": 2.0,
    "bars": 2.0,
    "trend": 5.0,
    "hours": 10.0,
    "link": 1.0,
}
AGES_EVERY_S: Final = 10.0
"""A panel whose numbers stand still is sent this often for its ages."""
TICKER_ITEMS: Final = 30
TICKER_KEPT_S: Final = 6 * 3600.0

VITALS: Final = Panel("vitals", "kpis", Text("城市运行体征", "City vital signs"), "left", 0)


@dataclass
class Part:
    """An app and, once the city is known, its live part."""

    app: App
    live: Live | None = None
    failing: set[str] = field(default_factory=set)

    def begin(self, city: Basemap | None, contracts: Mapping[str, Contract]) -> None:
        """Make the live part for `city`, or without one if it can; what cannot be made is logged and shows nothing."""
        try:
            kind = self.app.live_class()
            if kind is not None and (city is not None or not kind.needs_city):
                self.live = kind(city, contracts)
        except Exception:
            log.exception("an app's live part did not start", app=self.app.name)

    def ask(self, what: str, call: Callable[[Live], T], otherwise: T) -> T:
        """Return what `call` makes of the live part; a failure costs only this answer, and is logged when it begins."""
        if self.live is None:
            return otherwise
        try:
            answer = call(self.live)
        except Exception:
            if what not in self.failing:
                log.exception("an app's live part failed", app=self.app.name, what=what)
            self.failing.add(what)
            return otherwise
        self.failing.discard(what)
        return answer

    async def remember(self, warehouse: Questions, now: float) -> None:
        """Let the live part ask for history. Raises WarehouseError; what else fails is the app's and logged."""
        if self.live is None:
            return
        try:
            await self.live.remember(warehouse, now)
        except WarehouseError:
            raise
        except Exception:
            log.exception("an app's live part failed", app=self.app.name, what="remember")
            self.failing.add("remember")
        else:
            self.failing.discard("remember")

    def receive(self, table: LiveTable, change: Change) -> None:
        """Hand over what is new of a contract that the app reads."""
        self.ask(f"receive {table.contract.name}", lambda live: live.receive(table, change), None)


@dataclass
class TopicSource:
    """A feed source: one topic of a part."""

    part: Part
    topic: str

    def changes(self, now: float) -> object | None:
        """Return what changed."""
        return self.part.ask(self.topic, lambda live: live.changes(self.topic, now), None)

    def snapshot(self, now: float) -> object | None:
        """Return the whole state."""
        return self.part.ask(self.topic, lambda live: live.snapshot(self.topic, now), None)


@dataclass
class PanelSource:
    """A feed source: a panel, sent when what it says changed, and now and then for its ages."""

    build: Callable[[float], PanelData | None]
    _sent: PanelData | None = None
    _sent_at: float = 0.0

    def changes(self, now: float) -> object | None:
        """Return the panel when it changed or its ages are old."""
        panel = self.build(now)
        if panel is None:
            return None
        said = undated(panel)
        if said == self._sent and now - self._sent_at < AGES_EVERY_S:
            return None
        self._sent, self._sent_at = said, now
        return aged(panel, now)

    def snapshot(self, now: float) -> object | None:
        """Return the panel as it is."""
        panel = self.build(now)
        return None if panel is None else aged(panel, now)


def panel_source(part: Part, panel: str) -> PanelSource:
    """Return the source of one of a part's panels."""
    return PanelSource(lambda now: part.ask(f"panel {panel}", lambda live: live.panel(panel, now), None))


def vitals_source(parts: Sequence[Part]) -> PanelSource:
    """Return the source of the panel of the city's vital signs: the key numbers of all parts, in their order."""

    def build(now: float) -> PanelData | None:
        speaking = sorted((p for p in parts if p.live), key=lambda p: p.live.first_kpi if p.live else 0)
        items: list[Kpi] = []
        for part in speaking:
            items += part.ask("kpis", lambda live: live.kpis(now), ())
        return Kpis(items, max((item.updated_at or 0 for item in items), default=0) or None) if items else None

    return PanelSource(build)


class Ticker:
    """A feed source: what happened in the last hours, newest first."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._parts = list(parts)
        self._items: list[TickerItem] = []

    def changes(self, now: float) -> object | None:
        """Return the ticker when something happened."""
        news: list[TickerItem] = []
        none: Sequence[Notice] = ()
        for part in self._parts:
            notices = part.ask("notices", lambda live: live.notices(now), none)
            news += [TickerItem(notice.at, notice.text, notice.level) for notice in notices]
        if not news:
            return None
        oldest = (now - TICKER_KEPT_S) * 1000
        recent = (item for item in [*self._items, *news] if item.at >= oldest)
        self._items = heapq.nlargest(TICKER_ITEMS, recent, key=lambda item: item.at)
        return self.snapshot(now)

    def snapshot(self, now: float) -> object | None:  # the Source protocol
        """Return the ticker."""
        return TickerEvent(self._items)
