"""The pipeline as a process: both streams of the log, one memory of recent rows, one warehouse."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError

from cityops.data.contract import Contracts
from cityops.data.pipeline.late import keys_after
from cityops.data.pipeline.store import Store
from cityops.data.pipeline.unique import RecentRows
from cityops.data.pipeline.worker import Worker
from cityops.data.warehouse.client import Warehouse, WarehouseError
from cityops.settings import Settings
from cityops.technology import bus
from cityops.technology.telemetry import Log, Telemetry

if TYPE_CHECKING:
    from nats.aio.client import Client

_PAUSE = 0.5

log = Log(__name__)


async def run(settings: Settings, contracts: Contracts, telemetry: Telemetry) -> None:
    """Read the log until cancelled. Raises LedgerTakenError when another pipeline reads it."""
    client = await bus.connect(settings, "pipeline", within=None)
    warehouse = Warehouse(settings.warehouse_url)
    thread = ThreadPoolExecutor(1, thread_name_prefix="pipeline")
    try:
        await _streams_are_there(client, settings)
        store = Store(warehouse, contracts, telemetry)
        workers = [
            Worker(client, stream, contracts, warehouse, store, thread, telemetry)
            for stream in (bus.INGEST_STREAM, bus.MQTT_STREAM)
        ]
        horizon_ms = 0
        for worker in workers:  # one after the other: each looks up the other's rows
            horizon_ms = max(horizon_ms, (await worker.recover()).done_ns // 1_000_000)
        # Without a ledger nothing says what is stored: whatever is older than now is looked up.
        recent = await _remember(warehouse, contracts, horizon_ms or time.time_ns() // 1_000_000)
        telemetry.probe("remembered_rows", lambda: len(recent))
        telemetry.ready()
        async with asyncio.TaskGroup() as tasks:
            for worker in workers:
                tasks.create_task(worker.run(recent))
    finally:
        thread.shutdown(wait=False, cancel_futures=True)
        warehouse.close()
        await client.close()


async def _streams_are_there(client: Client, settings: Settings) -> None:
    while True:
        try:
            await bus.ensure_all(client, settings)
        except (bus.BusError, OSError, TimeoutError, NatsError) as error:
            log.warning("the log is not ready", error=repr(error))
            await asyncio.sleep(_PAUSE)
        else:
            return


async def _remember(warehouse: Warehouse, contracts: Contracts, horizon_ms: int) -> RecentRows:
    """Return a memory that knows the stored rows dated after `horizon_ms`; older ones are looked up."""
    while True:
        recent = RecentRows(horizon_ms)
        try:
            for contract in contracts.values():
                keys, times = await asyncio.to_thread(keys_after, warehouse, contract, horizon_ms)
                recent.add(keys, times, horizon_ms)
        except WarehouseError as error:
            log.warning("the warehouse is not ready", error=str(error)[:500])
            await asyncio.sleep(_PAUSE)
        else:
            return recent
