"""Units in the field: where each is now, and what of that changed visibly on a map."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

from cityops.data.live.table import Change, LiveTable

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

SHOWN_EVERY_S: Final = 1.0
"""A moving unit is shown anew at most this often."""
MOVED_DEG: Final = 2e-5
"""About two metres: a smaller move is not visible."""
TURNED_DEG: Final = 10.0
MOST_PER_EVENT: Final = 120
"""Units in one change event; the rest waits its turn, so that a flood cannot outgrow a screen's line."""
FORGOTTEN_AFTER_S: Final = 1800.0
PROBE: Final = "probe"
"""Kind of a vehicle that only lends its position: it is on the map, and no force to count on."""

UnitRow = tuple[str, str, float, float, int | None, int | None, bool]
"""unit_id, kind, longitude, latitude, heading (degrees), speed (km/h), stale."""

UnitsEvent = TypedDict("UnitsEvent", {"set": list[UnitRow], "del": list[str]})
"""Event of the topic `units`: units that moved or changed, and the ids of those that are gone."""

_SHOWN: Final = np.dtype([("lon", "f8"), ("lat", "f8"), ("heading", "f8"), ("speed", "f8"), ("stale", "?")])


class Fleet:
    """The newest position of every unit, by row of the live table of UnitPosition; times are epoch seconds."""

    def __init__(self, fresh_s: float) -> None:
        self.fresh_s = fresh_s
        self._table: LiveTable | None = None
        self._touched: Mask = np.zeros(0, np.bool_)
        self._shown: npt.NDArray[Any] = np.zeros(0, _SHOWN)
        self._shown_at: Floats = np.zeros(0)  # -inf: not on the screen

    def receive(self, table: LiveTable, change: Change) -> None:
        """Take the live table, in which the rows of `change` are new."""
        self._table = table
        more = len(table) - len(self._touched)
        self._touched = np.concatenate([self._touched, np.zeros(more, np.bool_)])
        self._shown = np.concatenate([self._shown, np.zeros(more, _SHOWN)])
        self._shown_at = np.concatenate([self._shown_at, np.full(more, -np.inf)])
        self._touched[change.rows] = True

    def online(self, now: float, *, probes: bool = False) -> tuple[int, int]:
        """Return how many units (or probe vehicles) have a fresh position, and how many there are."""
        if self._table is None:
            return 0, 0
        silent = self._silent(now)[(self._table.column("kind") == PROBE) == probes]
        return int(np.count_nonzero(silent <= self.fresh_s)), int(np.count_nonzero(silent <= FORGOTTEN_AFTER_S))

    def newest(self) -> float | None:
        """Return the time of the newest position, None without units."""
        silent = self._silent(0.0)
        return -float(silent.min()) if len(silent) else None

    def changes(self, now: float) -> UnitsEvent | None:
        """Return what changed visibly since the last call, None for nothing."""
        silent = self._silent(now)
        on_screen = self._shown_at > -np.inf
        known = silent <= FORGOTTEN_AFTER_S
        gone = np.flatnonzero(on_screen & ~known)
        turned_stale = on_screen & (self._shown["stale"] != (silent > self.fresh_s))
        due = known & (self._touched | turned_stale) & (now - self._shown_at >= SHOWN_EVERY_S)
        rows = np.flatnonzero(due)
        state = self._state(rows, silent)
        differ = ~on_screen[rows] | _differ(self._shown[rows], state)
        self._touched[rows[~differ]] = False
        rows, state = rows[differ], state[differ]
        if len(rows) > MOST_PER_EVENT:
            longest = np.argsort(self._shown_at[rows], kind="stable")[:MOST_PER_EVENT]
            rows, state = rows[longest], state[longest]
        self._touched[rows] = False
        self._shown[rows] = state
        self._shown_at[rows] = now
        self._shown_at[gone] = -np.inf
        if not len(rows) and not len(gone):
            return None
        return {"set": self._rows(rows, state), "del": self._ids(gone)}

    def snapshot(self, now: float) -> UnitsEvent:
        """Return all units."""
        silent = self._silent(now)
        rows = np.flatnonzero(silent <= FORGOTTEN_AFTER_S)
        return {"set": self._rows(rows, self._state(rows, silent)), "del": []}

    def _silent(self, now: float) -> Floats:
        """Return the age of every unit's position in seconds."""
        return now - self._table.column("observed_at") / 1000 if self._table else np.empty(0)

    def _state(self, rows: Rows, silent: Floats) -> npt.NDArray[Any]:
        """Return what the screen would show of units, rounded to what can be seen."""
        state = np.zeros(len(rows), _SHOWN)
        if self._table is not None:
            state["lon"] = self._table.column("longitude")[rows].round(5)
            state["lat"] = self._table.column("latitude")[rows].round(5)
            state["heading"] = self._table.column("heading")[rows].round() % 360
            state["speed"] = self._table.column("speed")[rows].round()
            state["stale"] = silent[rows] > self.fresh_s
        return state

    def _rows(self, rows: Rows, state: npt.NDArray[Any]) -> list[UnitRow]:
        if self._table is None:
            return []
        ids, kinds = self._table.column("unit_id")[rows], self._table.column("kind")[rows]
        return [
            (unit, kind, lon, lat, _whole(heading), _whole(speed), stale)
            for unit, kind, (lon, lat, heading, speed, stale) in zip(ids, kinds, state.tolist(), strict=True)
        ]

    def _ids(self, rows: Rows) -> list[str]:
        return [] if self._table is None else self._table.column("unit_id")[rows].tolist()


def _differ(old: npt.NDArray[Any], new: npt.NDArray[Any]) -> Mask:
    moved = np.maximum(np.abs(old["lon"] - new["lon"]), np.abs(old["lat"] - new["lat"])) >= MOVED_DEG
    turn = np.abs((np.nan_to_num(old["heading"]) - np.nan_to_num(new["heading"]) + 180) % 360 - 180)
    stopped = (old["speed"] == 0) != (new["speed"] == 0)
    return np.asarray(moved | (turn >= TURNED_DEG) | stopped | (old["stale"] != new["stale"]))


def _whole(value: float) -> int | None:
    return None if value != value else int(value)  # noqa: PLR0124  # NaN alone differs from itself
