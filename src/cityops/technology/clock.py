"""The one clock: code that needs the time is given a Clock, so that anything can be replayed."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What time it is, and waiting by that time."""

    def now(self) -> datetime:
        """Return the present instant, in UTC."""
        ...

    def epoch_ms(self) -> int:
        """Return the present instant as milliseconds since 1970-01-01 UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock's time."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present instant, in UTC."""
        return datetime.now(UTC)

    def epoch_ms(self) -> int:
        """Return the present instant as milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await asyncio.sleep(max(0.0, seconds))


class SimulatedClock:
    """A clock that starts where it is told and runs `speed` times as fast as the machine's; speed 0 stands still."""

    def __init__(self, start: datetime, speed: float = 1.0) -> None:
        if start.tzinfo is None:
            raise ValueError(f"{start}: a start with a time zone is wanted")
        if speed < 0:
            raise ValueError(f"speed {speed}: time does not run backwards")
        self._start = start.astimezone(UTC)
        self._speed = speed
        self._origin = time.monotonic()

    def now(self) -> datetime:
        """Return the simulated instant, in UTC."""
        return self._start + timedelta(seconds=(time.monotonic() - self._origin) * self._speed)

    def epoch_ms(self) -> int:
        """Return the simulated instant as milliseconds since 1970-01-01 UTC."""
        return int(self.now().timestamp() * 1000)

    def advance(self, seconds: float) -> None:
        """Move the simulated instant forward by `seconds`. Raises ValueError for a negative number."""
        if seconds < 0:
            raise ValueError(f"advance({seconds}): time does not run backwards")
        self._start += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` of simulated time have passed (a standing clock must be advanced by another task)."""
        until = self.now() + timedelta(seconds=seconds)
        while (left := (until - self.now()).total_seconds()) > 0:  # noqa: ASYNC110  # `advance` may come any time
            await asyncio.sleep(min(left / self._speed, 0.05) if self._speed else 0.001)
