"""The data link as screens show it: delay from device and from log to the feed, rates, what was refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cityops.data.live.table import Change, LiveTable

WINDOW_S: Final = 60.0
_EDGES: Final = np.concatenate([[0.0], np.geomspace(1.0, 3_600_000.0, 160)])
"""Upper edges of the delay histogram in ms: steps of a tenth, so a percentile is right to ten per cent."""


@dataclass(frozen=True, slots=True)
class SourceRate:
    """Rows a second of one contract over the last minute, and the age of its newest row."""

    contract: str
    rows_per_s: float
    age_s: float | None


@dataclass(frozen=True, slots=True)
class LinkState:
    """Event of the topic `link` and of the panel kind `link`.

    `delay_*` is from the log's stamp of arrival to the feed, `device_delay_*` from the device's own time of observation
    (its interval and its clock included); over the last minute, null without rows. `quarantined_today` counts rows
    since midnight of the city.
    """

    delay_p50_ms: float | None
    delay_p99_ms: float | None
    device_delay_p50_ms: float | None
    device_delay_p99_ms: float | None
    rows_per_s: float | None
    messages_per_s: float | None
    quarantined_today: int | None
    push_bytes_per_s: float
    clients: int
    sources: Sequence[SourceRate]
    updated_at: int
    age_s: float = 0.0


class Delays:
    """Percentiles of delays over the last minute, from one histogram a second."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[float, npt.NDArray[np.int64]]] = deque()

    def add(self, ms: npt.NDArray[np.floating[Any]], now: float) -> None:
        """Count delays of `ms` milliseconds, seen at `now` (epoch s)."""
        counts = np.bincount(np.searchsorted(_EDGES, np.maximum(ms, 0.0)), minlength=len(_EDGES) + 1)
        if self._seconds and now - self._seconds[-1][0] < 1.0:
            self._seconds[-1][1][:] += counts
        else:
            self._seconds.append((now, counts.astype(np.int64)))

    def percentiles(self, now: float, *wanted: float) -> list[float | None]:
        """Return the percentiles `wanted` (0-100) of the last minute in ms, None without any."""
        while self._seconds and now - self._seconds[0][0] > WINDOW_S:
            self._seconds.popleft()
        if not self._seconds:
            return [None] * len(wanted)
        counts = np.cumsum(np.sum([c for _, c in self._seconds], axis=0))
        places = np.searchsorted(counts, [counts[-1] * p / 100 for p in wanted])
        return [round(float(_EDGES[min(place, len(_EDGES) - 1)]), 1) for place in places]


class Rate:
    """Growth a second of a counter over the last minute; a counter that falls has begun anew."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, float]] = deque()

    def read(self, value: float, now: float) -> None:
        """Take the counter's value at `now` (epoch s)."""
        if self._readings and value < self._readings[-1][1]:
            self._readings.clear()
        self._readings.append((now, value))
        while now - self._readings[0][0] > WINDOW_S:
            self._readings.popleft()

    def per_second(self, now: float) -> float | None:
        """Return the rate, None when the counter has not been read twice or not lately."""
        if len(self._readings) < 2 or now - self._readings[-1][0] > WINDOW_S:
            return None
        (since, first), (until, last) = self._readings[0], self._readings[-1]
        return round((last - first) / (until - since), 1) if until > since else None


class DataLink:
    """Gathers what LinkState says."""

    def __init__(self, since_ms: int) -> None:
        self._since_ms = since_ms
        self.quarantined_today: int | None = None
        self._delays = Delays()
        self._device_delays = Delays()
        self._waiting: dict[str, list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]] = {}
        self._rows: dict[str, Rate] = {}
        self._row_counts: dict[str, int] = {}
        self._newest: dict[str, float] = {}
        self._counters: dict[str, dict[int, Rate]] = {}
        self._push = Rate()

    def received(self, table: LiveTable, change: Change, now: float) -> None:
        """Note rows that will be on the feed with its next tick; what arrived before this process began is history."""
        name = table.contract.name
        observed, arrived = (table.column(column)[change.rows] for column in (table.contract.time, "_arrived_at"))
        self._newest[name] = max(self._newest.get(name, 0.0), float(arrived.max(initial=0)))
        live = arrived >= self._since_ms
        self._waiting.setdefault(name, []).append((observed[live], arrived[live]))
        self._row_counts[name] = self._row_counts.get(name, 0) + int(np.count_nonzero(live))
        self._rows.setdefault(name, Rate()).read(self._row_counts[name], now)

    def shown(self, contracts: Sequence[str], now: float) -> None:
        """Note that the rows of `contracts` received so far are on the feed."""
        for contract in contracts:
            for observed, arrived in self._waiting.pop(contract, ()):
                self._delays.add(now * 1000 - arrived, now)
                self._device_delays.add(now * 1000 - observed, now)

    def telemetry(self, role: str, pid: int, counters: Mapping[str, float], now: float) -> None:
        """Take the counters that process `pid` of `role` publishes each second."""
        for name, value in counters.items():
            self._counters.setdefault(f"{role}.{name}", {}).setdefault(pid, Rate()).read(value, now)

    def state(self, sent_bytes: int, clients: int, now: float) -> LinkState:
        """Return the link's state; `sent_bytes` is what the feed has sent to its `clients` in all."""
        self._push.read(sent_bytes, now)
        pushed = self._push.per_second(now) or 0.0
        delay = self._delays.percentiles(now, 50, 99)
        device = self._device_delays.percentiles(now, 50, 99)
        sources = [
            SourceRate(name, rate.per_second(now) or 0.0, round(max(0.0, now - self._newest[name] / 1000), 1))
            for name, rate in sorted(self._rows.items())
        ]
        return LinkState(
            delay_p50_ms=delay[0],
            delay_p99_ms=delay[1],
            device_delay_p50_ms=device[0],
            device_delay_p99_ms=device[1],
            rows_per_s=self._rate("pipeline.rows", now),
            messages_per_s=self._rate("pipeline.messages", now),
            quarantined_today=self.quarantined_today,
            push_bytes_per_s=round(pushed / max(1, clients), 1),
            clients=clients,
            sources=sources,
            updated_at=int(now * 1000),
        )

    def _rate(self, counter: str, now: float) -> float | None:
        """Return the sum over the processes that still speak, None when none does."""
        rates = [
            each for rate in self._counters.get(counter, {}).values() if (each := rate.per_second(now)) is not None
        ]
        return round(sum(rates), 1) if rates else None
