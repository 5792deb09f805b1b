"""The pipeline's work: each stream read in order, its newest rows sent live at once, all rows stored exactly once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

from cityops.data.contract import Contract, Contracts
from cityops.data.edge.mappings import Mappings
from cityops.data.pipeline.batch import Batch, newest, process_all
from cityops.data.pipeline.inlet import BrokenOrderError, Inlet
from cityops.data.pipeline.late import stored_already
from cityops.data.pipeline.ledger import Entry, Ledger, Range
from cityops.data.pipeline.message import Message
from cityops.data.pipeline.store import Store
from cityops.data.pipeline.unique import Keys, Mask, RecentRows, Times
from cityops.data.warehouse.client import Warehouse, WarehouseError
from cityops.technology.bus import BusError, live_subject
from cityops.technology.telemetry import Log, Telemetry

if TYPE_CHECKING:
    from nats.aio.client import Client

T = TypeVar("T")

LINGER_SECONDS = 0.04
"""How long a micro-batch gathers after its first message: half of it is the delay it costs."""

FLUSH_SECONDS = 1.0
FLUSH_ROWS = 200_000
_PAUSE = 0.5
_FOR_EVER = 2**62
_LIVE_BYTES = 4 * 1024 * 1024
_OUTAGES = (NatsError, JetStreamError, BusError, OSError, TimeoutError)

log = Log(__name__)


class Worker:
    """Reads one stream. Workers share `recent` and the one thread that computes, so the rows of all streams meet."""

    def __init__(
        self,
        bus: Client,
        stream: str,
        contracts: Contracts,
        warehouse: Warehouse,
        store: Store,
        thread: ThreadPoolExecutor,
        telemetry: Telemetry,
    ) -> None:
        self._bus = bus
        self._contracts = contracts
        self._warehouse = warehouse
        self._store = store
        self._thread = thread
        self._telemetry = telemetry
        self._mappings = Mappings(bus, contracts)
        self._inlet = Inlet(bus, stream)
        self._ledger = Ledger(bus, stream)
        self._label = stream.strip("$").split("_")[0].lower()
        self._pending: Batch | None = None
        self._since = 0.0
        self._flushing: asyncio.Task[None] | None = None
        telemetry.probe(f"{self._label}_backlog", lambda: self._inlet.backlog)
        telemetry.probe(f"{self._label}_pending_rows", lambda: self._pending.rows if self._pending else 0)

    async def recover(self) -> Entry:
        """Store what was being stored when the pipeline ended, and return how far the stream is done."""
        entry = await self._outlast(self._ledger.load)
        if entry.doing is not None:
            log.info("storing again what was begun", stream=self._label, first=entry.doing.first, last=entry.doing.last)
            await self._outlast(partial(self._again, entry.doing))
        return self._ledger.entry

    async def _again(self, span: Range) -> None:
        entry = self._ledger.entry
        await self._inlet.open(entry.done, entry.done_ns)
        messages: list[Message] = []
        while not messages or messages[-1].seq < span.last:
            taken = await self._inlet.take(LINGER_SECONDS)
            messages += taken
            if not taken and not self._inlet.backlog:
                break
        messages = [m for m in messages if m.seq <= span.last]
        if messages:
            # Nothing is remembered yet, so that every row is looked up, but for those of this very range.
            forgetful = RecentRows(_FOR_EVER)
            batch = await self._process(messages, forgetful, but=(self._label, span))
            batch.first, batch.last = span.first, span.last
            await self._store.put(batch, self._label, entry.epoch, again=True)
            await self._ledger.finish(span.last, batch.last_ns)
            await self._inlet.acknowledge(messages[-1].seq)
        else:
            await self._ledger.finish(span.last, entry.done_ns)

    async def run(self, recent: RecentRows) -> None:
        """Read on, for ever; `recent` knows every row dated after what is done. Raises LedgerTakenError."""
        try:
            while True:
                try:
                    await self._inlet.open(self._ledger.entry.done, self._ledger.entry.done_ns)
                    await self._read(recent)
                except BrokenOrderError as error:
                    log.warning("reading again", stream=self._label, error=str(error))
                except _OUTAGES as error:
                    log.warning("the log is away", stream=self._label, error=repr(error))
                    await asyncio.sleep(_PAUSE)
                await self._finish_flush()
                if self._pending is not None:
                    await self._flush(self._pending)
                    self._pending = None
                if self._inlet.renumbered:
                    self._ledger.renumber(self._inlet.renumbered)
                await self._outlast(self._ledger.load)
        finally:
            await self._finish_flush()
            await self._inlet.close()

    async def _read(self, recent: RecentRows) -> None:
        while True:
            messages = await self._inlet.take(LINGER_SECONDS)
            if messages:
                await self._work(messages, recent)
            if self._pending is None:
                continue
            full = self._pending.rows >= FLUSH_ROWS
            if self._flushing is not None and (full or self._flushing.done()):
                await self._finish_flush()
            if self._flushing is None and (full or time.monotonic() - self._since >= FLUSH_SECONDS):
                batch, self._pending = self._pending, None
                self._flushing = asyncio.create_task(self._flush(batch))

    async def _work(self, messages: Sequence[Message], recent: RecentRows) -> None:
        batch = await self._outlast(partial(self._process, messages, recent, None))
        for name, tables in batch.good.items():
            contract = self._contracts[name]
            if contract.live:
                await self._send_live(contract, pa.concat_tables(tables))
        self._telemetry.count("messages", batch.messages)
        self._telemetry.count("rows", batch.good_rows)
        self._telemetry.count("quarantined", batch.quarantined_rows)
        self._telemetry.gauge(f"{self._label}_delay_ms", time.time_ns() // 1_000_000 - batch.last_ns // 1_000_000)
        if self._pending is None:
            self._pending, self._since = batch, time.monotonic()
        else:
            self._pending.join(batch)

    async def _process(self, messages: Sequence[Message], recent: RecentRows, but: tuple[str, Range] | None) -> Batch:
        await self._mappings.learn({m.mapping for m in messages if m.mapping})

        def is_stored(contract: Contract, rows: pa.Table, keys: Keys, times: Times) -> Mask:
            return np.asarray(stored_already(self._warehouse, contract, rows, keys, times, but))

        work = partial(process_all, self._label, messages, self._contracts, self._mappings.find, recent, is_stored)
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _send_live(self, contract: Contract, rows: pa.Table) -> None:
        """Publish the newest row of each entity; a screen that misses it has the warehouse, so nothing waits here."""
        if not self._bus.is_connected:
            return
        table = newest(contract, rows)
        step = max(1, len(table) * _LIVE_BYTES // max(1, table.nbytes))
        for start in range(0, len(table), step):
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table.slice(start, step))
            await self._bus.publish(live_subject(contract.name), sink.getvalue().to_pybytes())

    async def _flush(self, batch: Batch) -> None:
        began = time.monotonic()
        await self._outlast(partial(self._ledger.begin, batch.first, batch.last))
        await self._store.put(batch, self._label, self._ledger.entry.epoch)
        await self._outlast(partial(self._ledger.finish, batch.last, batch.last_ns))
        await self._outlast(partial(self._inlet.acknowledge, batch.last))
        self._telemetry.count("flushes")
        self._telemetry.count("stored_rows", batch.good_rows)
        self._telemetry.gauge("flush_ms", round((time.monotonic() - began) * 1000, 1))

    async def _finish_flush(self) -> None:
        if self._flushing is not None:
            await self._flushing
            self._flushing = None

    async def _outlast(self, work: Callable[[], Awaitable[T]]) -> T:
        """Return what `work` returns, tried again for as long as the log or the warehouse is away."""
        while True:
            try:
                return await work()
            except (*_OUTAGES, WarehouseError, BrokenOrderError) as error:
                log.warning("waiting", stream=self._label, error=repr(error)[:500])
                await asyncio.sleep(_PAUSE)
