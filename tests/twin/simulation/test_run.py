from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psutil
import pytest
from tests.engines import Engines, until_async
from tests.twin.simulation.town import write_town

from cityops.technology import bus
from cityops.technology.telemetry import Telemetry
from cityops.twin.simulation.run import run

pytestmark = pytest.mark.engine

BEIJING = timezone(timedelta(hours=8))


class Twin:
    """The role in this process, on a data directory with the town in it."""

    def __init__(self, engines: Engines, data_dir: Path, town: Path, speed: float = 1.0) -> None:
        self.settings = replace(engines.settings, data_dir=data_dir, speed=speed, seed=1)
        shutil.copytree(town, self.settings.city_dir)
        self.telemetry = Telemetry("twin")
        self.task = asyncio.create_task(run(self.settings, self.telemetry))

    def gauge(self, name: str) -> float:
        """Return a gauge of the role, 0 while it has not said any."""
        gauges = self.telemetry.snapshot()["gauges"]
        assert isinstance(gauges, dict)
        return float(gauges.get(name, 0))

    @staticmethod
    def sumo() -> list[psutil.Process]:
        """Return the traffic simulators this process has started."""
        return [child for child in psutil.Process().children() if child.name() == "sumo"]

    async def stop(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


@pytest.fixture
async def twin(own_nats: Engines, tmp_path: Path, town_folder: Path) -> AsyncIterator[Twin]:
    await bus.prepare(own_nats.settings)
    started = Twin(own_nats, tmp_path / "data", town_folder)
    yield started
    await started.stop()


async def test_the_city_lives_in_step_with_the_clock(twin: Twin) -> None:
    await until_async(lambda: twin.telemetry.is_ready and twin.gauge("mqtt_confirmed") > 15, seconds=40)
    assert twin.gauge("lag_s") < 3
    assert twin.gauge("mqtt_dropped") == 0


async def test_traffic_goes_on_after_the_simulator_was_killed(twin: Twin) -> None:
    await until_async(lambda: twin.telemetry.is_ready, seconds=40)
    (first,) = twin.sumo()
    first.kill()
    await until_async(lambda: any(child.pid != first.pid for child in twin.sumo()), seconds=40)
    confirmed = twin.gauge("mqtt_confirmed")
    await until_async(lambda: twin.gauge("mqtt_confirmed") > confirmed + 5, seconds=40)
    assert not twin.task.done()


async def test_another_city_takes_the_place_of_the_first(twin: Twin, tmp_path: Path) -> None:
    await until_async(lambda: twin.telemetry.is_ready, seconds=40)
    (first,) = twin.sumo()
    write_town(tmp_path / "other", name="圆城")
    twin.settings.city_dir.rename(tmp_path / "worn")
    (tmp_path / "other").rename(twin.settings.city_dir)
    await until_async(lambda: [child.pid for child in twin.sumo()] not in ([], [first.pid]), seconds=40)
    assert not twin.task.done()


async def test_a_stopped_role_leaves_no_simulator_behind(twin: Twin) -> None:
    await until_async(twin.sumo, seconds=40)
    await twin.stop()
    assert twin.sumo() == []


async def test_a_city_that_does_not_exist_yet_is_waited_for(
    own_nats: Engines, tmp_path: Path, town_folder: Path
) -> None:
    await bus.prepare(own_nats.settings)
    settings = replace(own_nats.settings, data_dir=tmp_path / "data")
    telemetry = Telemetry("twin")
    task = asyncio.create_task(run(settings, telemetry))
    await asyncio.sleep(0.2)
    assert not task.done()
    shutil.copytree(town_folder, settings.city_dir)
    await until_async(lambda: telemetry.is_ready, seconds=40)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_fast_city_begins_its_day_at_midnight(own_nats: Engines, tmp_path: Path, town_folder: Path) -> None:
    await bus.prepare(own_nats.settings)
    client = await bus.connect(own_nats.settings, "test")
    first = await client.subscribe(bus.MQTT_FILTER)
    twin = Twin(own_nats, tmp_path / "data", town_folder, speed=20.0)
    try:
        message = await first.next_msg(timeout=60)
        observed = datetime.fromisoformat(json.loads(message.data)["observed_at"]).astimezone(BEIJING)
        assert observed.date() == datetime.now(BEIJING).date()
        assert observed.hour == 0
        assert observed.minute < 10
    finally:
        await twin.stop()
        await client.close()
