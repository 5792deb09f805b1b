"""Decode: raw messages of one contract, type and mapping become rows in the contract's types; no row is lost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cityops.data.contract import Contract, from_wire
from cityops.data.edge.mapping import SourceMapping
from cityops.data.pipeline.arrow_rows import decode_arrow
from cityops.data.pipeline.csv_rows import decode_csv
from cityops.data.pipeline.json_rows import decode_json
from cityops.data.pipeline.message import Decoded, Index, Message, Reject
from cityops.technology.bus import ARROW, CSV, NDJSON


def decode(
    contract: Contract, content_type: str, mapping: SourceMapping | None, messages: Sequence[Message]
) -> list[Decoded]:
    """Return the rows of `messages` in one or more parts; every row is in a table or among the rejects."""
    match content_type:
        case "application/x-ndjson" | "application/json":
            return [decode_json(contract, mapping, messages)]
        case "text/csv":
            return decode_csv(contract, mapping, messages)
        case "application/vnd.apache.arrow.stream":
            return decode_arrow(contract, mapping, messages)
    return [_refused(contract, content_type, messages)]


def _refused(contract: Contract, content_type: str, messages: Sequence[Message]) -> Decoded:
    reason = f"{content_type!r} is none of {NDJSON}, {ARROW}, {CSV}"
    rejects = [Reject(n, 0, "content:", reason, message.payload, content_type) for n, message in enumerate(messages)]
    table, rules = from_wire(contract, contract.wire_schema.empty_table())
    none = np.zeros(0, np.int64)

    def raw(_rows: Index) -> list[bytes]:
        return []

    return Decoded(table, rules, none, none, raw, content_type, rejects)
