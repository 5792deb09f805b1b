"""The change feed: live tables filled from the warehouse at the start, then by what the pipeline publishes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import pyarrow as pa

from cityops.data.contract import DATABASE, Contract, now_view
from cityops.data.live.table import Change, LiveTable
from cityops.data.warehouse.client import AsyncWarehouse, WarehouseError
from cityops.technology.bus import live_subject
from cityops.technology.telemetry import Log

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

OnChange = Callable[[LiveTable, Change], None]
READ_AGAIN_SECONDS, READ_EVERY_SECONDS = 3.0, 60.0
_PAUSE = 0.5

log = Log(__name__)


class LiveFeed:
    """Keeps a LiveTable for each of `contracts`; `on_change` is called on the event loop and must return quickly."""

    def __init__(
        self, bus: Client, warehouse: AsyncWarehouse, contracts: Iterable[Contract], on_change: OnChange | None = None
    ) -> None:
        self.tables = {contract.name: LiveTable(contract) for contract in contracts}
        self._bus = bus
        self._warehouse = warehouse
        self._on_change = on_change

    async def run(self) -> None:
        """Follow the contracts until cancelled. What a lost connection swallowed is read from the warehouse again.

        The warehouse is a second or two behind: what was published just before we listened is not yet in it when it is
        first read. So it is read again soon, and then now and then.
        """
        subscriptions = [await self._bus.subscribe(live_subject(name), cb=self._receive) for name in self.tables]
        try:
            pause = READ_AGAIN_SECONDS
            while True:
                connection = self._bus.stats["reconnects"]
                await self.rebuild()
                until = time.monotonic() + pause
                pause = READ_EVERY_SECONDS
                while time.monotonic() < until:
                    await asyncio.sleep(_PAUSE)
                    if self._bus.stats["reconnects"] != connection:
                        pause = READ_AGAIN_SECONDS
                        break
        finally:
            for subscription in subscriptions:
                if not self._bus.is_closed:
                    await subscription.unsubscribe()

    async def rebuild(self) -> None:
        """Read the newest row of every entity from the warehouse; waits while it is away."""
        for table in self.tables.values():
            sql = f"SELECT * FROM {DATABASE}.{now_view(table.contract)}"  # noqa: S608  # our own names
            while True:
                try:
                    self._apply(table, await self._warehouse.query(sql))
                except WarehouseError as error:
                    log.warning("live state waits for the warehouse", error=str(error)[:500])
                    await asyncio.sleep(_PAUSE)
                else:
                    break

    async def _receive(self, message: Msg) -> None:
        table = self.tables[message.subject.removeprefix(live_subject(""))]
        try:
            with pa.ipc.open_stream(message.data) as reader:
                rows = reader.read_all()
        except pa.ArrowException as error:
            log.warning("a live message is not Arrow", subject=message.subject, error=str(error))
            return
        self._apply(table, rows)

    def _apply(self, table: LiveTable, rows: pa.Table) -> None:
        if rows.num_rows:
            change = table.apply(rows)
            if self._on_change is not None and len(change.rows):
                self._on_change(table, change)
