"""Store: a batch into the warehouse exactly once, however often it is tried."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from cityops.data.contract import DATABASE, QUARANTINE, Contract, Contracts
from cityops.data.contract.broken import one_array
from cityops.data.pipeline.batch import Batch
from cityops.data.pipeline.ledger import Range
from cityops.data.pipeline.mend import mend
from cityops.data.warehouse.client import Warehouse, WarehouseError, WarehouseUnavailable
from cityops.technology.telemetry import Log, Telemetry

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0

log = Log(__name__)


class Store:
    """The warehouse as the pipeline writes it: one insert at a time, each with a token of its messages and partition."""

    def __init__(self, warehouse: Warehouse, contracts: Contracts, telemetry: Telemetry) -> None:
        self._warehouse = warehouse
        self._contracts = contracts
        self._telemetry = telemetry
        self._turn = asyncio.Lock()

    async def put(self, batch: Batch, stream: str, epoch: str, *, again: bool = False) -> None:
        """Return once every row of `batch` is in the warehouse; waits while it is away or full.

        `again` says that the same messages may have been stored in part before: what is missing is then looked for.
        """
        prefix = f"{stream}:{epoch}:{batch.first}-{batch.last}"
        pause = _FIRST_PAUSE
        async with self._turn:
            while True:
                try:
                    await asyncio.to_thread(self._insert, batch, stream, prefix, again)
                except WarehouseError as error:
                    # An insert whose answer never came may be done by half.
                    again = again or isinstance(error, WarehouseUnavailable)
                    self._telemetry.count("store_retries")
                    log.warning("not stored, trying again", stream=stream, error=str(error)[:500], pause=pause)
                else:
                    return
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _insert(self, batch: Batch, stream: str, prefix: str, again: bool) -> None:
        for contract, month, rows in self._parts(batch):
            token = f"{prefix}:{contract.name}:{month}"
            self._warehouse.insert(f"{DATABASE}.{contract.table}", rows, token=token)
            if again:
                mend(self._warehouse, contract, rows, stream, Range(batch.first, batch.last), token)
        if batch.quarantined:
            for month, rows in month_parts(pa.concat_tables(batch.quarantined), "_arrived_at"):
                self._warehouse.insert(f"{DATABASE}.{QUARANTINE}", rows, token=f"{prefix}:{QUARANTINE}:{month}")

    def _parts(self, batch: Batch) -> Iterator[tuple[Contract, str, pa.Table]]:
        for name, tables in batch.good.items():
            contract = self._contracts[name]
            for month, rows in month_parts(pa.concat_tables(tables), contract.time):
                yield contract, month, rows


def month_parts(table: pa.Table, column: str) -> Iterator[tuple[str, pa.Table]]:
    """Yield the rows of each month (UTC, like 202611) of the time `column`: each is one partition of the warehouse."""
    times = one_array(table.column(column)).cast(pa.int64()).to_numpy()
    months = times.astype("datetime64[ms]").astype("datetime64[M]")
    different = np.unique(months)
    for month in different:
        name = str(month).replace("-", "")
        yield name, table if len(different) == 1 else table.filter(pa.array(months == month))
