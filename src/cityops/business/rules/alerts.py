"""Alerts as they stand: the newest word on each, where it is in the city, and what changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import pyarrow as pa
from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

from cityops.data.live.table import Change, LiveTable
from cityops.technology.geo.basemap import Basemap

LEVELS: Final = {"I": 1, "II": 2, "III": 3, "IV": 4}
CLEARED_SHOWN_S: Final = 600.0
"""How long an alert stays in sight after it was cleared or has run out."""

Status = Literal["open", "cleared", "expired"]


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert: severity 1-4 (I-IV), times in epoch ms, `place` the nearest street, names as {zh, en}."""

    id: str
    severity: int
    category: str
    sub_category: str | None
    title: str
    place: dict[str, str] | None
    district: dict[str, str] | None
    observed_at: int
    status: Status
    source: str | None
    lon: float | None
    lat: float | None


AlertsEvent = TypedDict("AlertsEvent", {"set": list[AlertRow], "del": list[str]})
"""Event of the topic `alerts`: alerts that are new or changed, and the ids of those to take away."""


class AlertBoard:
    """The newest row of every alert; times are epoch seconds."""

    def __init__(self, city: Basemap | None) -> None:
        """Make a board; without a city its alerts have no place names."""
        self._city = city
        self._rows: dict[str, AlertRow] = {}
        self._valid_to: dict[str, float] = {}
        self._changed: dict[str, None] = {}
        self._gone: list[str] = []

    def receive(self, table: LiveTable, change: Change) -> list[AlertRow]:
        """Take what is new in the live table of Alert; return the news in it (opened, raised, lowered, cleared)."""
        news = []
        for row in table.rows(change.rows).to_pylist():
            alert = self._alert(row)
            known = self._rows.get(alert.id)
            self._rows[alert.id] = alert
            self._changed[alert.id] = None
            if row.get("valid_to") is not None:
                self._valid_to[alert.id] = row["valid_to"].timestamp()
            if known is None or (known.status, known.severity) != (alert.status, alert.severity):
                news.append(alert)
        return news

    def changes(self, now: float) -> AlertsEvent | None:
        """Return what changed since the last call, None for nothing."""
        self._expire(now)
        changed = [self._rows[alert_id] for alert_id in self._changed if alert_id in self._rows]
        gone, self._gone = self._gone, []
        self._changed.clear()
        return {"set": changed, "del": gone} if changed or gone else None

    def snapshot(self, now: float) -> AlertsEvent:
        """Return all alerts in sight."""
        self._expire(now)
        return {"set": list(self._rows.values()), "del": []}

    def standing(self, now: float) -> list[AlertRow]:
        """Return the open alerts: gravest first, newest first among equals."""
        self._expire(now)
        open_alerts = [alert for alert in self._rows.values() if alert.status == "open"]
        return sorted(open_alerts, key=lambda alert: (alert.severity, -alert.observed_at))

    def _expire(self, now: float) -> None:
        for alert_id, alert in list(self._rows.items()):
            ended = self._valid_to.get(alert_id)
            if alert.status == "open" and ended is not None and ended < now:
                self._rows[alert_id] = replace(alert, status="expired")
                self._changed[alert_id] = None
            elif alert.status != "open":
                since = alert.observed_at / 1000 if alert.status == "cleared" else ended or 0.0
                if now - since > CLEARED_SHOWN_S:
                    del self._rows[alert_id]
                    self._valid_to.pop(alert_id, None)
                    self._gone.append(alert_id)

    def _alert(self, row: dict[str, Any]) -> AlertRow:
        lon, lat = row.get("longitude"), row.get("latitude")
        place, district = (None, None) if lon is None or lat is None else self._where(lon, lat)
        return AlertRow(
            id=row["alert_id"],
            severity=LEVELS[row["severity"]],
            category=row["category"],
            sub_category=row.get("sub_category"),
            title=row.get("description") or row.get("sub_category") or row["category"],
            place=place,
            district=district,
            observed_at=int(row["observed_at"].timestamp() * 1000),
            status=row["status"],
            source=row.get("alert_source"),
            lon=lon,
            lat=lat,
        )

    def _where(self, lon: float, lat: float) -> tuple[dict[str, str] | None, dict[str, str] | None]:
        city = self._city
        if city is None:
            return None, None
        district = int(city.districts_at(lon, lat)[0])
        link = int(city.nearest_links(lon, lat)[0]) if len(city.links) else -1
        return (
            _names(city.links, link) if link >= 0 else None,
            _names(city.districts, district) if district >= 0 else None,
        )


def _names(table: pa.Table, row: int) -> dict[str, str]:
    return {"zh": table["name_zh"][row].as_py(), "en": table["name_en"][row].as_py()}
