"""The role `twin`: a simulated city that keeps step with the clock, its devices talking MQTT to the platform."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from cityops.settings import Settings
from cityops.technology.geo.basemap import CITY_FILE, BasemapError
from cityops.technology.telemetry import Log, Telemetry
from cityops.twin.simulation.city import CityError, open_city
from cityops.twin.simulation.devices.detectors import SLICE_S
from cityops.twin.simulation.network import NetworkError
from cityops.twin.simulation.publisher import Publisher
from cityops.twin.simulation.timing import Pace, midnight_before
from cityops.twin.simulation.traffic import TrafficError
from cityops.twin.simulation.world import World

T = TypeVar("T")

SETTLE_S = 60
"""Traffic is filled in as of so long ago and then fast-forwarded to the present."""
SETTLE_WITHIN_S = 10.0
"""Fast-forwarding goes on in public, lagging, when it takes longer than this."""
FAR_BEHIND_S = 180.0
"""A city that was in step and falls so far behind (a machine that slept) is filled anew as of now."""
MOST_BACKLOG = 2000
"""Unconfirmed messages at which a city that runs faster than the clock waits for the platform."""
_LOOK_S, _LOG_S = 5.0, 60.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0

log = Log(__name__)


class CityChangedError(Exception):
    """The city folder is another one now."""


class FarBehindError(Exception):
    """Simulated time has fallen too far behind the clock to catch up."""


async def run(settings: Settings, telemetry: Telemetry) -> None:
    """Let the city of `settings.city_dir` live until cancelled; SUMO's end, a new city, a lost broker are survived."""
    publisher = Publisher(settings.mqtt_host, settings.mqtt_port)
    for name in publisher.state():
        telemetry.probe(f"mqtt_{name}", lambda name=name: publisher.state()[name])  # type: ignore[misc]  # captured
    pause, pace = _FIRST_PAUSE_S, None
    try:
        while True:
            life = Life(settings, telemetry, publisher)
            try:
                pace = await life.begin(pace)
                pause = _FIRST_PAUSE_S
                await life.live(pace)
            except (BasemapError, CityError, NetworkError, TrafficError, OSError) as error:
                log.warning("the city stands still", error=str(error), again_in_s=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            except (CityChangedError, FarBehindError) as reason:
                log.info("the city is filled anew", reason=type(reason).__name__)
            finally:
                await life.end()
    finally:
        await publisher.close()


class Life:
    """One simulated city from its filling to its end; the simulation has a thread of its own, the loop talks MQTT."""

    def __init__(self, settings: Settings, telemetry: Telemetry, publisher: Publisher) -> None:
        self._settings, self._telemetry, self._publisher = settings, telemetry, publisher
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="simulation")
        self._worlds: list[World] = []
        self._folder = _stamp(settings)

    async def begin(self, pace: Pace | None) -> Pace:
        """Start the city at the instant due by `pace` (None: as the settings ask); return the pace it keeps."""
        settings = self._settings
        city = await self._in_thread(lambda: open_city(settings.city_dir))
        now = time.time()
        if pace is None:
            start = midnight_before(now, city.zone) if settings.speed > 1 else now
            pace = Pace(wall_start=now, simulated_start=start, speed=max(1.0, settings.speed))
        due = pace.due(now)
        begin = int(max(midnight_before(due, city.zone), due - SETTLE_S)) // SLICE_S * SLICE_S
        await self._in_thread(lambda: self._worlds.append(World(city, begin, settings.seed)))
        await self._in_thread(self._worlds[0].populate)
        log.info("the city lives", city=city.name, at=begin, **self._worlds[0].state())
        return pace

    async def live(self, pace: Pace) -> None:
        """Keep step with `pace` until cancelled. Raises TrafficError, CityChangedError, FarBehindError."""
        world, publisher = self._worlds[0], self._publisher
        self._telemetry.probe("lag_s", lambda: max(0.0, pace.due(time.time()) - world.now))
        self._telemetry.probe("vehicles", lambda: world.vehicles)
        private_until, in_step = time.monotonic() + SETTLE_WITHIN_S, False
        look_at = log_at = time.monotonic()
        while True:
            wall = time.time()
            lag = pace.due(wall) - world.now
            if lag < 1:
                in_step = in_step or pace.due(wall) == wall
                await asyncio.sleep(max(0.0, pace.wall_of(world.now + 1) - wall))
                continue
            if in_step and lag > FAR_BEHIND_S:
                raise FarBehindError
            said = await self._in_thread(world.step)
            if lag < 2 or time.monotonic() > private_until or pace.speed > 1:
                private_until = 0.0
                publisher.publish(said)
                self._telemetry.ready()
            while publisher.backlog > MOST_BACKLOG and pace.due(time.time()) < time.time():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            if time.monotonic() - look_at > _LOOK_S:
                look_at = time.monotonic()
                if _stamp(self._settings) != self._folder:
                    raise CityChangedError
            if time.monotonic() - log_at > _LOG_S:
                log_at = time.monotonic()
                log.info("the city", lag_s=round(lag, 1), **world.state(), **publisher.state())

    async def end(self) -> None:
        """End the simulation, also one that is still being started."""
        await self._in_thread(self._close)
        self._thread.shutdown(wait=False)

    def _close(self) -> None:
        for world in self._worlds:
            world.close()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _stamp(settings: Settings) -> tuple[int, int]:
    """Return what tells one city folder from another."""
    try:
        stat = (settings.city_dir / CITY_FILE).stat()
    except OSError:
        return 0, 0
    return stat.st_ino, stat.st_mtime_ns
