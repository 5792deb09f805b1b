"""Clocks that run, run fast, and stand still."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from cityops.technology.clock import SimulatedClock, SystemClock

START = datetime(2026, 11, 22, 8, tzinfo=timezone(timedelta(hours=8)))


def test_the_system_clock_speaks_utc_and_milliseconds() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert abs(clock.epoch_ms() - clock.now().timestamp() * 1000) < 1000


def test_a_simulated_clock_starts_where_it_is_told() -> None:
    clock = SimulatedClock(START, speed=0)
    assert clock.now() == datetime(2026, 11, 22, 0, tzinfo=UTC)
    clock.advance(90)
    assert clock.epoch_ms() == int(START.timestamp() * 1000) + 90_000


async def test_a_fast_clock_sleeps_its_own_seconds() -> None:
    clock = SimulatedClock(START, speed=1000)
    async with asyncio.timeout(2):
        await clock.sleep(60)
    assert clock.now() - START >= timedelta(seconds=60)


async def test_a_standing_clock_wakes_sleepers_when_it_is_advanced() -> None:
    clock = SimulatedClock(START, speed=0)
    sleeper = asyncio.create_task(clock.sleep(10))
    await asyncio.sleep(0.01)
    clock.advance(9)
    await asyncio.sleep(0.01)
    assert not sleeper.done()
    clock.advance(1)
    async with asyncio.timeout(2):
        await sleeper


@pytest.mark.parametrize(
    "make", [lambda: SimulatedClock(START.replace(tzinfo=None)), lambda: SimulatedClock(START, -1)]
)
def test_a_clock_without_a_zone_or_running_backwards_is_refused(make: object) -> None:
    with pytest.raises(ValueError, match=r"zone|backwards"):
        make()  # type: ignore[operator]
