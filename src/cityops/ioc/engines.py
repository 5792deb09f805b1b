"""What the IOC keeps open: the bus it hears, the warehouse it asks, the city it waits for; each comes when it can."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from cityops.data.live.feed import LiveFeed
from cityops.data.warehouse.client import AsyncWarehouse, WarehouseError
from cityops.ioc import questions
from cityops.ioc.screen import Screen
from cityops.ioc.shapes import Check
from cityops.settings import Settings
from cityops.technology import bus
from cityops.technology.geo.basemap import Basemap, BasemapError
from cityops.technology.telemetry import SUBJECT, Log

log = Log(__name__)
REMEMBER_AT_S: Final = (0.0, 5.0, 10.0)
REMEMBER_EVERY_S: Final = 60.0
"""Pauses before history is asked for: soon again after the start, once live rows have told what there is."""
RETRY_S: Final = 2.0


class _Telemetry(msgspec.Struct):
    role: str
    pid: int
    counters: dict[str, float]


_TELEMETRY: Final = msgspec.json.Decoder(_Telemetry)


class Engines:
    """The tasks that feed a screen from real engines."""

    def __init__(self, screen: Screen, settings: Settings, warehouse: AsyncWarehouse) -> None:
        self.screen = screen
        self.settings = settings
        self.warehouse = warehouse
        screen.checks |= {
            "log": Check(False, f"no answer yet from {settings.nats_url}"),
            "warehouse": Check(False, f"no answer yet from {settings.warehouse_url}"),
        }

    async def run(self) -> None:
        """Follow the live rows, ask the warehouse for history, and open the city when it is there."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._await_city())
            tasks.create_task(self._remember())
            client = await self._connect()
            tasks.create_task(self._watch(client))
            following = LiveFeed(client, self.warehouse, self.screen.reads, self.screen.receive)
            tasks.create_task(following.run())

    async def _connect(self) -> Client:
        connecting = asyncio.create_task(bus.connect(self.settings, "ioc", within=None))
        try:
            client = await asyncio.shield(connecting)
        except asyncio.CancelledError:
            while not connecting.done():  # the client library may swallow a cancellation while it tries again
                connecting.cancel()
                await asyncio.wait({connecting}, timeout=0.2)
            raise
        await client.subscribe(f"{SUBJECT}.>", cb=self._on_telemetry)
        return client

    async def _watch(self, client: Client) -> None:
        """Say each second whether the log is there, until cancelled; then leave it."""
        try:
            while True:
                detail = "" if client.is_connected else f"{self.settings.nats_url} is away; reconnecting"
                self.screen.checks["log"] = Check(client.is_connected, detail)
                await asyncio.sleep(1)
        finally:
            await client.close()

    async def _await_city(self) -> None:
        while True:
            try:
                city = await asyncio.to_thread(_open, self.settings)
            except BasemapError:
                await asyncio.sleep(RETRY_S)
            else:
                self.screen.open_city(city)
                return

    async def _remember(self) -> None:
        """Bring each minute what the live parts want to know of the past."""
        for pause in chain(REMEMBER_AT_S, repeat(REMEMBER_EVERY_S)):
            await asyncio.sleep(pause)
            while not await self._answered():  # noqa: ASYNC110  # there is no event for a warehouse coming back
                await asyncio.sleep(RETRY_S)

    async def _answered(self) -> bool:
        try:
            await self._history()
        except WarehouseError as error:
            self.screen.checks["warehouse"] = Check(False, f"{self.settings.warehouse_url} gave no answer")
            log.warning("history waits for the warehouse", error=str(error)[:500])
            return False
        self.screen.checks["warehouse"] = Check(True)
        return True

    async def _history(self) -> None:
        now = self.screen.feed.now()
        for part in self.screen.parts:
            await part.remember(self.warehouse, now)
        zone = ZoneInfo(self.screen.city.city.timezone if self.screen.city else "UTC")
        midnight = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
        self.screen.link.quarantined_today = await questions.quarantined(self.warehouse, midnight.astimezone(UTC))

    async def _on_telemetry(self, message: Msg) -> None:
        try:
            said = _TELEMETRY.decode(message.data)
        except msgspec.MsgspecError as error:
            log.warning("telemetry cannot be read", subject=message.subject, error=str(error))
            return
        self.screen.link.telemetry(said.role, said.pid, said.counters, self.screen.feed.now())


def _open(settings: Settings) -> Basemap:
    """Return the city with what every screen needs already read (it takes a while). Raises BasemapError."""
    city = Basemap.open(settings.city_dir)
    _ = (city.links, city.places, city.districts, city.link_index, city.place_index, city.link_midpoints)
    return city
