"""Rows older than the pipeline remembers: the warehouse is asked whether it has them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from cityops.data.contract import DATABASE, TIMESTAMP, Contract
from cityops.data.contract.broken import one_array
from cityops.data.pipeline.ledger import Range
from cityops.data.pipeline.unique import Keys, Mask, Times, row_keys
from cityops.data.warehouse.client import Warehouse

_DAY_MS = 86_400_000
_MOST_SPANS = 64
_MOST_ENTITIES = 1_000


def stored_already(
    warehouse: Warehouse, contract: Contract, table: pa.Table, keys: Keys, times: Times, but: tuple[str, Range] | None
) -> Mask:
    """Return which rows of `table` the warehouse has, not counting those of `but` (stream, messages).

    Raises WarehouseError.
    """
    entities = one_array(table.column(contract.entity)).unique()
    spans = " OR ".join(f"({contract.time} BETWEEN {_time(low)} AND {_time(high)})" for low, high in _spans(times))
    where = [f"({spans})"]
    if len(entities) <= _MOST_ENTITIES:
        where.append(f"{contract.entity} IN ({', '.join(_text(e) for e in entities.to_pylist())})")
    return np.isin(keys, stored_keys(warehouse, contract, " AND ".join(where), but)[0])


def stored_keys(
    warehouse: Warehouse, contract: Contract, where: str, but: tuple[str, Range] | None = None
) -> tuple[Keys, Times]:
    """Return keys and times (epoch ms) of the warehouse's rows for which `where` holds. Raises WarehouseError."""
    if but:
        stream, span = but
        where += f" AND NOT (_stream = {_text(stream)} AND _seq BETWEEN {span.first} AND {span.last})"
    columns = f"{contract.entity}, {contract.time}"
    sql = f"SELECT {columns} FROM {DATABASE}.{contract.table} WHERE {where}"  # noqa: S608  # names ours, texts quoted
    found = warehouse.query(sql)
    if found.num_rows == 0:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    return row_keys(
        contract,
        pa.table(
            {
                contract.entity: one_array(found.column(contract.entity)).cast(pa.string()),
                contract.time: one_array(found.column(contract.time)).cast(TIMESTAMP),
            }
        ),
    )


def keys_after(
    warehouse: Warehouse, contract: Contract, after_ms: int, but: tuple[str, Range] | None = None
) -> tuple[Keys, Times]:
    """Return keys and times of the rows dated after `after_ms`. Raises WarehouseError."""
    return stored_keys(warehouse, contract, f"{contract.time} > {_time(after_ms)}", but)


def keys_of_range(warehouse: Warehouse, contract: Contract, stream: str, span: Range, times: Times) -> Keys:
    """Return keys of the rows that messages `span` of `stream` left, dated as `times`. Raises WarehouseError."""
    low, high = _time(int(times.min())), _time(int(times.max()))
    where = f"{contract.time} BETWEEN {low} AND {high} AND _stream = {_text(stream)}"
    return stored_keys(warehouse, contract, f"{where} AND _seq BETWEEN {span.first} AND {span.last}")[0]


def _spans(times: Times) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of the times of each day, or of each 30, 365 … days when there are many."""
    ordered = np.sort(times)
    for days in (1, 30, 365, 36_500):
        buckets = ordered // (days * _DAY_MS)
        starts = np.flatnonzero(np.diff(buckets, prepend=buckets[0] - 1))
        if len(starts) <= _MOST_SPANS:
            break
    ends = np.append(starts[1:], len(ordered)) - 1
    for start, end in zip(starts, ends, strict=True):
        yield int(ordered[start]), int(ordered[end])


def _time(milliseconds: int) -> str:
    return f"fromUnixTimestamp64Milli(toInt64({milliseconds}), 'UTC')"


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
