"""Store: a batch into the warehouse exactly once, however often it is tried."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cityops.data.contract import DATABASE, QUARANTINE, Contracts
from cityops.data.contract.broken import one_array
from cityops.data.pipeline.batch import Batch
from cityops.data.pipeline.ledger import Range
from cityops.data.pipeline.mend import mend
from cityops.data.warehouse.client import Warehouse, WarehouseError, WarehouseUnavailable
from cityops.technology.telemetry import Log, Telemetry

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_MOST_PARTITIONS = 90

log = Log(__name__)


class Store:
    """The warehouse as the pipeline writes it: one insert at a time, each with a token of its messages."""

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
        span = Range(batch.first, batch.last)
        for name, tables in batch.good.items():
            contract = self._contracts[name]
            for number, rows in enumerate(inserts(pa.concat_tables(tables), contract.time)):
                token = f"{prefix}:{name}:{number}"
                self._warehouse.insert(f"{DATABASE}.{contract.table}", rows, token=token)
                if again:
                    for part in month_parts(rows, contract.time):
                        mend(self._warehouse, contract, part, stream, span, token)
        if batch.quarantined:
            for number, rows in enumerate(inserts(pa.concat_tables(batch.quarantined), "_arrived_at")):
                self._warehouse.insert(f"{DATABASE}.{QUARANTINE}", rows, token=f"{prefix}:{QUARANTINE}:{number}")


def month_parts(table: pa.Table, column: str) -> Iterator[pa.Table]:
    """Yield the rows of each month (UTC) of the time `column`: each is one partition of the warehouse."""
    months = _months(table, column)
    different = np.unique(months)
    for month in different:
        yield table if len(different) == 1 else table.filter(pa.array(months == month))


def inserts(table: pa.Table, column: str) -> Iterator[pa.Table]:
    """Yield `table` in pieces that one insert takes: the engine refuses more than a hundred partitions at once.

    A token stands for its insert in each partition by itself, so an insert cut off between two of them is completed
    when it is tried again.
    """
    months = _months(table, column)
    different = np.unique(months)
    for start in range(0, len(different), _MOST_PARTITIONS):
        some = different[start : start + _MOST_PARTITIONS]
        yield table if len(some) == len(different) else table.filter(pa.array(np.isin(months, some)))


def _months(table: pa.Table, column: str) -> npt.NDArray[np.datetime64]:
    times = one_array(table.column(column)).cast(pa.int64()).to_numpy()
    return np.asarray(times.astype("datetime64[ms]").astype("datetime64[M]"))
