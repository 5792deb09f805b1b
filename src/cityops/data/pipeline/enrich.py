"""Enrich: what the log knows of a row is written beside it (arrival, source, stream, sequence)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from cityops.data.contract import SYSTEM_FIELDS, TIMESTAMP
from cityops.data.pipeline.message import Decoded, Message


def arrivals(decoded: Decoded, messages: Sequence[Message]) -> pa.Array:
    """Return when each row arrived (timestamp ms UTC): when the log took its message."""
    arrived = np.fromiter((m.arrived_ns for m in messages), np.int64, len(messages)) // 1_000_000
    return pa.array(arrived[decoded.message]).cast(TIMESTAMP)


def enrich(decoded: Decoded, messages: Sequence[Message], stream: str) -> pa.Table:
    """Return the rows with the system columns of `contract.table_schema`."""
    table = decoded.table
    seqs = np.fromiter((m.seq for m in messages), np.uint64, len(messages))
    sources, codes = _numbered([m.source for m in messages])
    columns = (
        arrivals(decoded, messages),
        pa.DictionaryArray.from_arrays(codes[decoded.message], sources).cast(pa.string()),
        pa.repeat(stream, table.num_rows),
        pa.array(seqs[decoded.message]),
    )
    for field, column in zip(SYSTEM_FIELDS, columns, strict=True):
        table = table.append_column(field.with_nullable(True), column)
    return table


def _numbered(words: Sequence[str]) -> tuple[pa.Array, np.ndarray]:
    """Return the different words, and for each word its number among them."""
    numbers: dict[str, int] = {}
    codes = np.fromiter((numbers.setdefault(word, len(numbers)) for word in words), np.int32, len(words))
    return pa.array(list(numbers), pa.string()), codes
