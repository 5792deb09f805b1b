"""What the IOC keeps open: the bus it hears, the warehouse it asks, the city it waits for; each comes when it can."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import pyarrow as pa
from nats.aio.msg import Msg

from cityops.data.warehouse.client import AsyncWarehouse
from cityops.data.warehouse.questions import latest
from cityops.ioc import questions
from cityops.ioc.screen import Screen
from cityops.ioc.shapes import Check
from cityops.settings import Settings
from cityops.technology import bus
from cityops.technology.geo.basemap import Basemap, BasemapError
from cityops.technology.telemetry import SUBJECT, Log

log = Log(__name__)
LIVE: Final = "live."
REMEMBER_EVERY_S: Final = 60.0
RETRY_S: Final = 2.0


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
        """Hear the bus at once; once the city is there, bring what was before and hand on what came meanwhile."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hear())
            await self._await_city()
            tasks.create_task(self._remember())

    async def _hear(self) -> None:
        client = await bus.connect(self.settings, "ioc", within=None)
        await client.subscribe(f"{LIVE}>", cb=self._on_rows)
        await client.subscribe(f"{SUBJECT}.>", cb=self._on_telemetry)
        try:
            while True:
                connected = client.is_connected
                detail = "" if connected else f"{self.settings.nats_url} is away; reconnecting"
                self.screen.checks["log"] = Check(connected, detail)
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
        """Bring the newest rows once, then each minute what the live parts want to know of the past."""
        await self._until_done(self._latest_rows)
        while True:
            await self._until_done(self._history)
            await asyncio.sleep(REMEMBER_EVERY_S)

    async def _until_done(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Exception as error:  # noqa: BLE001  # whatever it is, it is said and tried again
                self.screen.checks["warehouse"] = Check(False, str(error))
                log.warning("the warehouse does not answer yet", error=str(error))
                await asyncio.sleep(RETRY_S)
            else:
                self.screen.checks["warehouse"] = Check(True)
                return

    async def _latest_rows(self) -> None:
        for contract in self.screen.reads:
            question = latest(contract)
            rows = await self.warehouse.query(question.sql, question.parameters)
            self.screen.replay(contract, _fitting(rows, contract.table_schema))

    async def _history(self) -> None:
        now = self.screen.feed.now()
        for part in self.screen.parts:
            await part.remember(self.warehouse, now)
        zone = ZoneInfo(self.screen.city.city.timezone if self.screen.city else "UTC")
        midnight = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
        self.screen.link.quarantined_today = await questions.quarantined(self.warehouse, midnight.astimezone(UTC))

    async def _on_rows(self, message: Msg) -> None:
        contract = self.screen.contracts.get(message.subject.removeprefix(LIVE))
        if contract is None or self.screen.city is None:
            return
        try:
            with pa.ipc.open_stream(message.data) as stream:
                rows = stream.read_all()
        except pa.ArrowInvalid as error:
            log.warning("a live message is not Arrow", subject=message.subject, error=str(error))
            return
        if len(rows):
            self.screen.receive(contract, _fitting(rows, contract.table_schema))

    async def _on_telemetry(self, message: Msg) -> None:
        said = json.loads(message.data)
        self.screen.link.telemetry(said["role"], said["counters"], self.screen.feed.now())


def _open(settings: Settings) -> Basemap:
    """Return the city with what every screen needs already read (it takes a while). Raises BasemapError."""
    city = Basemap.open(settings.city_dir)
    _ = (city.links, city.places, city.districts, city.link_index, city.place_index, city.link_midpoints)
    return city


def _fitting(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return `rows` in the contract's own types: the warehouse answers with wider or dictionary-coded ones."""
    return pa.table({field.name: rows[field.name].cast(field.type) for field in schema})
