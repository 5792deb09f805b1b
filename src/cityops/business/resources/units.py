"""Units in the field: where each is now, and what of that changed visibly on a map."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

SHOWN_EVERY_S: Final = 1.0
"""A moving unit is shown anew at most this often."""
MOVED_DEG: Final = 2e-5
"""About two metres: a smaller move is not visible."""
TURNED_DEG: Final = 10.0
MOST_PER_EVENT: Final = 120
"""Units in one change event; the rest waits its turn, so that a flood cannot outgrow a screen's line."""
FORGOTTEN_AFTER_S: Final = 1800.0

UnitRow = tuple[str, str, float, float, int | None, int | None, bool]
"""unit_id, kind, longitude, latitude, heading (degrees), speed (km/h), stale."""


UnitsEvent = TypedDict("UnitsEvent", {"set": list[UnitRow], "del": list[str]})
"""Event of the topic `units`: units that moved or changed, and the ids of those that are gone."""


@dataclass(slots=True)
class _Unit:
    kind: str
    lon: float
    lat: float
    heading: float | None
    speed: float | None
    observed_at: float
    shown: UnitRow | None = None
    shown_at: float = -math.inf

    def row(self, unit_id: str, stale: bool) -> UnitRow:
        """Return the unit as the screen gets it."""
        return (
            unit_id,
            self.kind,
            round(self.lon, 5),
            round(self.lat, 5),
            None if self.heading is None else round(self.heading) % 360,
            None if self.speed is None else round(self.speed),
            stale,
        )


class Fleet:
    """The newest position of every unit; times are epoch seconds."""

    def __init__(self, fresh_s: float) -> None:
        self.fresh_s = fresh_s
        self._units: dict[str, _Unit] = {}
        self._touched: dict[str, None] = {}
        self._gone: list[str] = []
        self._swept_at = -math.inf

    def receive(self, rows: pa.Table) -> None:
        """Take rows of UnitPosition; one older than what is known of its unit changes nothing."""
        columns = ("unit_id", "kind", "longitude", "latitude", "heading", "speed")
        seconds = (rows["observed_at"].cast(pa.int64()).to_numpy() / 1000).tolist()
        for unit_id, kind, lon, lat, heading, speed, at in zip(
            *(rows[name].to_pylist() for name in columns), seconds, strict=True
        ):
            known = self._units.get(unit_id)
            if lon is None or lat is None or (known and at < known.observed_at):
                continue
            if known is None:
                self._units[unit_id] = _Unit(kind, lon, lat, heading, speed, at)
            else:
                known.kind, known.lon, known.lat = kind, lon, lat
                known.heading, known.speed, known.observed_at = heading, speed, at
            self._touched[unit_id] = None

    def online(self, now: float) -> tuple[int, int]:
        """Return how many units have a fresh position, and how many there are."""
        fresh = sum(now - unit.observed_at <= self.fresh_s for unit in self._units.values())
        return fresh, len(self._units)

    def newest(self) -> float | None:
        """Return the time of the newest position, None without units."""
        return max((unit.observed_at for unit in self._units.values()), default=None)

    def changes(self, now: float) -> UnitsEvent | None:
        """Return what changed visibly since the last call, None for nothing."""
        self._sweep(now)
        rows: list[UnitRow] = []
        for unit_id in list(self._touched):
            unit = self._units.get(unit_id)
            if unit is None:
                del self._touched[unit_id]
            elif now - unit.shown_at >= SHOWN_EVERY_S:
                del self._touched[unit_id]
                row = unit.row(unit_id, now - unit.observed_at > self.fresh_s)
                if unit.shown is None or _differs(unit.shown, row):
                    unit.shown, unit.shown_at = row, now
                    rows.append(row)
                    if len(rows) == MOST_PER_EVENT:
                        break
        gone, self._gone = self._gone, []
        return {"set": rows, "del": gone} if rows or gone else None

    def snapshot(self, now: float) -> UnitsEvent:
        """Return all units."""
        rows = [unit.row(unit_id, now - unit.observed_at > self.fresh_s) for unit_id, unit in self._units.items()]
        return {"set": rows, "del": []}

    def _sweep(self, now: float) -> None:
        """Once a second, touch units that became stale and forget those long silent."""
        if now - self._swept_at < 1.0:
            return
        self._swept_at = now
        for unit_id, unit in list(self._units.items()):
            silent = now - unit.observed_at
            if silent > FORGOTTEN_AFTER_S:
                del self._units[unit_id]
                self._gone.append(unit_id)
            elif silent > self.fresh_s and unit.shown is not None and not unit.shown[6]:
                self._touched[unit_id] = None


def _differs(old: UnitRow, new: UnitRow) -> bool:
    moved = max(abs(old[2] - new[2]), abs(old[3] - new[3])) >= MOVED_DEG
    turned = abs(((old[4] or 0) - (new[4] or 0) + 180) % 360 - 180) >= TURNED_DEG
    stopped = (old[5] == 0) != (new[5] == 0)
    return moved or turned or stopped or old[1] != new[1] or old[6] != new[6]
