"""Rows of a contract for tests: say what matters, the rest is null or made up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from cityops.data.contract import Contract
from cityops.data.live.table import Change, LiveTable


def at(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)


def rows_of(contract: Contract, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Return `rows` as the contract's table with system columns; a number as a time is epoch seconds."""
    given = []
    for n, row in enumerate(rows):
        filled = {"_arrived_at": row[contract.time], "_source": "test", "_stream": "TEST", "_seq": n, **row}
        times = {
            k: at(v) for k, v in filled.items() if isinstance(v, int | float) and k in ("_arrived_at", contract.time)
        }
        given.append(filled | times)
    return pa.Table.from_pylist(given, contract.table_schema)


class Told:
    """A live table of one contract: what it is told goes on to `hear`, as the change feed would hand it on."""

    def __init__(self, contract: Contract, hear: Callable[[LiveTable, Change], Any]) -> None:
        self.contract = contract
        self.table = LiveTable(contract)
        self._hear = hear

    def __call__(self, *rows: Mapping[str, Any]) -> Any:
        return self._hear(self.table, self.table.apply(rows_of(self.contract, rows)))
