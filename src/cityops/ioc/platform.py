"""What the platform itself puts on the screens: units, alerts, their numbers; declared as an app declares its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

from cityops.apps.live import Live, Notice
from cityops.apps.manifest import App, Layer, LegendItem, Panel, Topic
from cityops.apps.panels import Kpi, PanelData, Row, Rows, Severity, Text
from cityops.business.resources.units import Fleet, UnitsEvent
from cityops.business.rules.alerts import AlertBoard, AlertRow, AlertsEvent
from cityops.data.contract import Contract
from cityops.data.live.table import Change, LiveTable
from cityops.technology.geo.basemap import Basemap

ALERTS_SHOWN: Final = 20

STATUS_NAMES: Final = {
    "open": Text("未解除", "Open"),
    "cleared": Text("已解除", "Cleared"),
    "expired": Text("已失效", "Expired"),
}
SEVERITY_LEGEND: Final = (
    LegendItem(1, Text("I 级 特别重大", "Level I"), "#e5484d"),
    LegendItem(2, Text("II 级 重大", "Level II"), "#f08c3a"),
    LegendItem(3, Text("III 级 较大", "Level III"), "#e2b23c"),
    LegendItem(4, Text("IV 级 一般", "Level IV"), "#4f8fd6"),
)

PLATFORM: Final = App(
    name="platform",
    title=Text("平台", "Platform"),
    reads=("UnitPosition", "Alert"),
    topics=(
        Topic("units", UnitsEvent, every=0.2, contracts=("UnitPosition",)),
        Topic("alerts", AlertsEvent, every=0.2, contracts=("Alert",)),
    ),
    panels=(Panel("alerts", "list", Text("实时告警", "Alerts"), "right", 10),),
    layers=(
        Layer("units", "points", Text("处置力量与浮动车", "Units and probes"), "units"),
        Layer("alerts", "points", Text("告警", "Alerts"), "alerts", SEVERITY_LEGEND),
    ),
    live="cityops.ioc.platform:Platform",
)


class Platform(Live):
    """Units and alerts."""

    first_kpi = 200
    needs_city = False

    def __init__(self, city: Basemap | None, contracts: Mapping[str, Contract]) -> None:
        super().__init__(city, contracts)
        self._fleet = Fleet(contracts["UnitPosition"].freshness.total_seconds())
        self._board = AlertBoard(city)
        self._news: list[AlertRow] = []

    def receive(self, table: LiveTable, change: Change) -> None:
        """Take positions and alerts."""
        if table.contract.name == "UnitPosition":
            self._fleet.receive(table, change)
        else:
            self._news += self._board.receive(table, change)

    def changes(self, topic: str, now: float) -> object | None:
        """Return what changed of units or alerts."""
        return self._fleet.changes(now) if topic == "units" else self._board.changes(now)

    def snapshot(self, topic: str, now: float) -> object | None:
        """Return all units or alerts."""
        return self._fleet.snapshot(now) if topic == "units" else self._board.snapshot(now)

    def panel(self, panel: str, now: float) -> PanelData | None:
        """Return the list of open alerts."""
        if panel != "alerts":
            raise KeyError(panel)
        standing = self._board.standing(now)
        return Rows([_alert_row(alert) for alert in standing[:ALERTS_SHOWN]], len(standing), int(now * 1000))

    def kpis(self, now: float) -> Sequence[Kpi]:
        """Return units online and alerts open."""
        online, known = self._fleet.online(now)
        probes, _ = self._fleet.online(now, probes=True)
        standing = self._board.standing(now)
        newest = self._fleet.newest()
        gravest = cast("Severity", standing[0].severity) if standing else None
        return (
            Kpi(
                key="units",
                label=Text("在线力量", "Units online"),
                value=online if known else None,
                total=known or None,
                unit=Text("个", ""),
                sub=Text(f"浮动车 {probes}", f"{probes} probes"),
                stale=known > 0 and online == 0,
                updated_at=None if newest is None else int(newest * 1000),
            ),
            Kpi(
                key="alerts",
                label=Text("未解除告警", "Open alerts"),
                value=len(standing),
                unit=Text("条", ""),
                level=gravest,
                updated_at=int(now * 1000),
            ),
        )

    def notices(self, now: float) -> Sequence[Notice]:  # the base's signature
        """Return the alerts opened, changed or cleared."""
        news, self._news = self._news, []
        return [_notice(alert) for alert in news]


def _alert_row(alert: AlertRow) -> Row:
    sub_zh = " · ".join(filter(None, (_name(alert.district, "zh"), _name(alert.place, "zh"))))
    sub_en = " · ".join(filter(None, (_name(alert.district, "en"), _name(alert.place, "en"))))
    return Row(
        id=alert.id,
        title=Text(alert.title, alert.title),
        sub=Text(sub_zh, sub_en) if sub_zh or sub_en else None,
        right=STATUS_NAMES[alert.status],
        right2=Text(alert.source, alert.source) if alert.source else None,
        badge=cast("Severity", alert.severity),
        lon=alert.lon,
        lat=alert.lat,
        since=alert.observed_at,
    )


def _notice(alert: AlertRow) -> Notice:
    status = STATUS_NAMES[alert.status]
    zh = " ".join(filter(None, (_name(alert.district, "zh"), _name(alert.place, "zh"), alert.title)))
    en = " ".join(filter(None, (_name(alert.district, "en"), _name(alert.place, "en"), alert.title)))
    ended = alert.status != "open"
    text = Text(f"{zh}({status.zh})", f"{en} ({status.en.lower()})") if ended else Text(zh, en)
    return Notice(alert.observed_at, text, None if ended else cast("Severity", alert.severity))


def _name(names: Mapping[str, str] | None, language: str) -> str:
    return names[language] if names else ""
