"""Arrow IPC streams to the contract's columns."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa

from cityops.data.contract import Contract, from_wire
from cityops.data.edge.arrowbody import NotArrowError, read_stream
from cityops.data.edge.mapping import SourceMapping
from cityops.data.edge.transform import transform
from cityops.data.pipeline.message import Decoded, Index, Message, Reject
from cityops.technology.bus import ARROW, NDJSON


def decode_arrow(contract: Contract, mapping: SourceMapping | None, messages: Sequence[Message]) -> list[Decoded]:
    """Return the rows of `messages`, a part for each; a stream that cannot be read is a reject as a whole."""
    return [_decode(contract, mapping, number, message) for number, message in enumerate(messages)]


def _decode(contract: Contract, mapping: SourceMapping | None, number: int, message: Message) -> Decoded:
    rejects: list[Reject] = []
    try:
        table = read_stream(message.payload)
        typed, rules = transform(mapping, contract, table) if mapping else from_wire(contract, table)
    except (NotArrowError, pa.ArrowException) as error:
        table = contract.wire_schema.empty_table()
        typed, rules = from_wire(contract, table)
        rejects.append(Reject(number, 0, "arrow:", str(error), message.payload, ARROW))

    def raw(rows: Index) -> list[bytes]:
        return [msgspec.json.encode(row, enc_hook=str) for row in table.take(pa.array(rows)).to_pylist()]

    count = table.num_rows
    return Decoded(typed, rules, np.full(count, number), np.arange(count), raw, NDJSON, rejects)
