"""Quarantine: what breaks a contract is kept with the rule it broke, the reason in words, and its bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cityops.data.contract import FUTURE_TOLERANCE, SYSTEM_FIELDS, Contract, Property
from cityops.data.pipeline.enrich import arrivals
from cityops.data.pipeline.media import with_mapping
from cityops.data.pipeline.message import Decoded, Index, Message

UNIQUE = "unique"
"""Rule of a row whose entity and time are there already."""

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("contract", "rule", "reason")),
        ("raw", pa.binary()),
        ("content_type", pa.string()),
        *(field.with_nullable(True) for field in SYSTEM_FIELDS),
        ("_row", pa.uint32()),
    ]
)
"""Columns of the quarantine table."""


def broken_rows(
    contract: Contract, decoded: Decoded, messages: Sequence[Message], stream: str, rules: pa.StringArray, rows: Index
) -> pa.Table:
    """Return the quarantine rows of `rows` of `decoded`; `rules` has an entry for every row of it."""
    broken = rules.take(pa.array(rows))
    reasons = pa.array([reason_of(contract, rule) for rule in broken.to_pylist()], pa.string())
    return _table(
        contract.name,
        messages,
        stream,
        broken,
        reasons,
        decoded.raw(rows),
        [decoded.raw_type] * len(rows),
        arrivals(decoded, messages).take(pa.array(rows)),
        decoded.message[rows],
        decoded.row[rows],
    )


def rejected_rows(contract: str, decoded: Decoded, messages: Sequence[Message], stream: str) -> pa.Table:
    """Return the quarantine rows of what could not be read."""
    rejects = decoded.rejects
    index = np.fromiter((r.message for r in rejects), np.int64, len(rejects))
    arrived = np.fromiter((messages[i].arrived_ms for i in index), np.int64, len(rejects))
    return _table(
        contract,
        messages,
        stream,
        pa.array([r.rule for r in rejects], pa.string()),
        pa.array([r.reason[:500] for r in rejects], pa.string()),
        [r.raw for r in rejects],
        [r.content_type for r in rejects],
        pa.array(arrived).cast(SCHEMA.field("_arrived_at").type),
        index,
        np.fromiter((r.row for r in rejects), np.int64, len(rejects)),
    )


def refused_message(message: Message, stream: str, rule: str, reason: str) -> pa.Table:
    """Return the quarantine row of a whole message, as for a contract nobody knows."""
    arrived = pa.array([message.arrived_ms]).cast(SCHEMA.field("_arrived_at").type)
    zero = np.zeros(1, np.int64)
    kinds, raw = [message.content_type], [message.payload]
    return _table(
        message.contract, [message], stream, pa.array([rule]), pa.array([reason]), raw, kinds, arrived, zero, zero
    )


def _table(
    contract: str,
    messages: Sequence[Message],
    stream: str,
    rules: pa.Array,
    reasons: pa.Array,
    raw: list[bytes],
    kinds: list[str],
    arrived: pa.Array,
    message: Index,
    row: Index,
) -> pa.Table:
    count = len(raw)
    described = [with_mapping(kind, messages[i].mapping) for kind, i in zip(kinds, message, strict=True)]
    columns = [
        pa.repeat(contract, count),
        rules,
        reasons,
        pa.array(raw, pa.binary()),
        pa.array(described, pa.string()),
        arrived,
        pa.array([messages[i].source for i in message], pa.string()),
        pa.repeat(stream, count),
        pa.array([messages[i].seq for i in message], pa.uint64()),
        pc.cast(pa.array(row), pa.uint32()),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


@lru_cache(maxsize=4096)
def reason_of(contract: Contract, rule: str) -> str:
    """Return what `rule` demands, in words."""
    if rule == UNIQUE:
        return f"a row of the same {contract.entity} and {contract.time} is there already"
    kind, _, name = rule.partition(":")
    if kind == "column":
        return f"the source has no column {name!r}, which the mapping reads"
    prop = contract.by_name.get(name)
    return rule if prop is None or kind not in _WORDS else f"{name} {_WORDS[kind](contract, prop)}"


_KINDS = {
    "string": "text",
    "number": "number",
    "integer": "whole number",
    "boolean": "true or false",
    "timestamp": "time with a zone (ISO 8601)",
    "point": "GeoJSON point",
}
_WORDS: dict[str, Callable[[Contract, Property], str]] = {
    "required": lambda _c, _p: "is missing",
    "type": lambda _c, p: f"is no {_KINDS[p.type]}",
    "code": lambda _c, _p: "is a word that no table of the mapping knows",
    "range": lambda _c, p: f"is outside {_bounds(p)}",
    "finite": lambda _c, _p: "is not a finite number",
    "length": lambda _c, p: f"has not {p.min_length or 0} to {p.max_length or 'any number of'} characters",
    "enum": lambda _c, p: f"is none of {', '.join(p.enum or ())}",
    "pattern": lambda _c, p: f"does not match {p.pattern}",
    "half": lambda _c, _p: "has only one coordinate",
    "unset": lambda _c, _p: "is exactly 0, 0: a receiver without a fix",
    "future": lambda _c, _p: f"is more than {FUTURE_TOLERANCE.total_seconds():.0f} s after its arrival",
    "ancient": lambda c, _p: f"is older than the {c.retention.days} days this data is kept",
}


def _bounds(prop: Property) -> str:
    match prop.type:
        case "point":
            return "-180 to 180, -90 to 90 degrees"
        case "timestamp":
            return "the years 1900 to 2299"
    low = prop.minimum if prop.minimum is not None else prop.exclusive_minimum
    high = prop.maximum if prop.maximum is not None else prop.exclusive_maximum
    unit = f" {prop.unit}" if prop.unit not in {None, "1"} else ""
    return f"{'any' if low is None else f'{low:g}'} to {'any' if high is None else f'{high:g}'}{unit}"
