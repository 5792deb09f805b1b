"""JSON observations to columns: thousands of rows at once by Arrow, row by row only where one of them is bad."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.json as pj

from cityops.data.contract import Contract, from_wire
from cityops.data.edge.mapping import SourceMapping, Wanted
from cityops.data.edge.transform import coerced, transform
from cityops.data.pipeline.message import Decoded, Index, Message, Reject, row_numbers
from cityops.technology.bus import NDJSON

_RAW = msgspec.json.Decoder(msgspec.Raw)
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_COLUMN = re.compile(r"Column\(/(?P<name>[^/)]+)")
_BLANK = b" \t\r\n"
_NEWLINE, _BRACE = 10, 123
_POINT = pa.struct([("type", pa.string()), ("coordinates", pa.list_(pa.float64()))])
_ARROW: Mapping[Wanted, pa.DataType] = {
    "text": pa.string(),
    "number": pa.float64(),
    "integer": pa.float64(),
    "boolean": pa.bool_(),
    "point": _POINT,
}


class NotRowsError(ValueError):
    """A body that is not JSON objects; the message says where."""


class _Form(Protocol):
    """What the rows of a group are read as."""

    schema: pa.Schema

    def check(self, line: bytes) -> bytes:
        """Return `line` as Arrow will read it, or raise msgspec.ValidationError or _UnfitError."""

    def typed(self, table: pa.Table) -> tuple[pa.Table, pa.StringArray]:
        """Return the read columns in the contract's types, and per row what is broken."""


class _UnfitError(ValueError):
    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule


def split_rows(payload: bytes) -> list[bytes]:
    """Return the JSON objects of an object, an array or NDJSON, each on one line. Raises NotRowsError."""
    try:
        text = payload.strip(_BLANK)
        if text[:1] == b"[":
            rows = [bytes(raw) for raw in _ROWS.decode(text)]
        elif b"\n" not in text:
            _RAW.decode(text)
            rows = [text]
        else:
            rows = _lines(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotRowsError(f"malformed JSON: {error}") from error
    return [_one_line(row, number) for number, row in enumerate(rows)]


def _lines(text: bytes) -> list[bytes]:
    try:
        _RAW.decode(text)
    except msgspec.DecodeError:
        lines = [line for raw in text.split(b"\n") if (line := raw.strip(_BLANK))]
        for number, line in enumerate(lines):
            try:
                _RAW.decode(line)
            except msgspec.DecodeError as error:
                raise NotRowsError(f"malformed JSON in line {number + 1}: {error}") from error
        return lines
    return [text]  # one object over several lines


def _one_line(row: bytes, number: int) -> bytes:
    if row[:1] != b"{":
        raise NotRowsError(f"row {number + 1} is not a JSON object")
    if b"\n" in row or b"\r" in row:
        return msgspec.json.format(row, indent=-1)
    return row


def decode_json(contract: Contract, mapping: SourceMapping | None, messages: Sequence[Message]) -> Decoded:
    """Return the rows of `messages`; what cannot be read is among the rejects, so that no row is lost."""
    rejects: list[Reject] = []
    payloads, counts = _payloads(messages, rejects)
    form = _mapped_form(mapping, contract) if mapping else _plain_form(contract)
    read = _read_together(form, payloads, counts)
    if read is None:
        payloads, rejects, lines, where = _read_apart(form, messages, payloads, rejects)
        table, checked = _read_lines(form, lines, where, rejects)
        message, row = where[:, 0], where[:, 1]
        keep = np.asarray(checked, np.int64)
        message, row = message[keep], row[keep]
        raw_lines = [lines[i] for i in checked]

        def raw(rows: Index) -> list[bytes]:
            return [raw_lines[i] for i in rows]
    else:
        table, joined, starts = read
        message, row = row_numbers(counts)

        def raw(rows: Index) -> list[bytes]:
            return [joined[starts[i] : starts[i + 1] - 1] for i in rows]

    typed, rules = form.typed(table)
    return Decoded(typed, rules, message, row, raw, NDJSON, rejects)


def _payloads(messages: Sequence[Message], rejects: list[Reject]) -> tuple[list[bytes], list[int]]:
    """Return per message its rows, one a line, and how many; trust what the edge has counted, look into the rest."""
    payloads: list[bytes] = []
    counts: list[int] = []
    decode = _RAW.decode
    for number, message in enumerate(messages):
        payload = message.payload
        if message.rows is not None:
            payloads.append(payload)
            counts.append(message.rows)
            continue
        try:
            if payload[:1] == b"{" and b"\n" not in payload:
                decode(payload)
                payloads.append(payload)
                counts.append(1)
            else:
                lines = split_rows(payload)
                payloads.append(b"\n".join(lines))
                counts.append(len(lines))
        except (msgspec.DecodeError, RecursionError, NotRowsError) as error:
            rejects.append(Reject(number, 0, "json:", str(error), payload, NDJSON))
            payloads.append(b"")
            counts.append(0)
    return payloads, counts


def _read_together(form: _Form, payloads: list[bytes], counts: list[int]) -> tuple[pa.Table, bytes, Index] | None:
    """Return the table, its text, and where each row starts in it; None when some row is not as it should be."""
    joined = b"\n".join(p for p in payloads if p)
    if not joined:
        return form.schema.empty_table(), b"", np.zeros(1, np.int64)
    if not joined.isascii():
        try:
            joined.decode()  # Arrow takes bytes that are no UTF-8 for text
        except UnicodeDecodeError:
            return None
    letters = np.frombuffer(joined, np.uint8)
    starts = np.concatenate(([0], np.flatnonzero(letters == _NEWLINE) + 1))
    # A row `null` makes Arrow's reader dereference a null pointer (apache/arrow#47409): nothing but objects gets there.
    if len(starts) != sum(counts) or joined[-1] == _NEWLINE or not (letters[starts] == _BRACE).all():
        return None
    try:
        table = _arrow(joined, form.schema)
    except pa.ArrowInvalid:
        return None
    if table.num_rows != len(starts):  # two objects in one line
        return None
    return table, joined, np.append(starts, len(joined) + 1)


def _arrow(joined: bytes, schema: pa.Schema) -> pa.Table:
    return pj.read_json(
        pa.BufferReader(joined),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(joined) + 1),
        parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
    )


def _read_apart(
    form: _Form, messages: Sequence[Message], payloads: list[bytes], rejects: list[Reject]
) -> tuple[list[bytes], list[Reject], list[bytes], Index]:
    """Look at every row by itself; return the good lines and the (message, row) of each."""
    lines: list[bytes] = []
    where: list[tuple[int, int]] = []
    rejected = {reject.message for reject in rejects}
    for number, payload in enumerate(payloads):
        if number in rejected:
            continue
        rows = [line for line in payload.split(b"\n") if line.strip(_BLANK)]
        for row, line in enumerate(rows):
            try:
                _check_text(line)
                lines.append(form.check(line))
                where.append((number, row))
            except _UnfitError as error:
                rejects.append(Reject(number, row, error.rule, str(error), line, NDJSON))
            except msgspec.ValidationError as error:
                rejects.append(Reject(number, row, _rule_of(str(error)), str(error), line, NDJSON))
            except (msgspec.DecodeError, RecursionError) as error:
                rejects.append(Reject(number, row, "json:", f"malformed JSON: {error}", line, NDJSON))
        if not rows and messages[number].payload:
            rejects.append(Reject(number, 0, "json:", "no row in the message", messages[number].payload, NDJSON))
    return payloads, rejects, lines, np.asarray(where, np.int64).reshape(-1, 2)


def _check_text(line: bytes) -> None:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise _UnfitError("json:", f"not UTF-8 at byte {error.start}") from error
    if line[:1] != b"{":
        raise _UnfitError("json:", "not a JSON object")


def _rule_of(message: str) -> str:
    """Return `type:property` of msgspec's "… - at `$.property…`"."""
    found = re.search(r"at `\$\.([A-Za-z0-9_]+)", message)
    return f"type:{found[1]}" if found else "json:"


def _read_lines(form: _Form, lines: list[bytes], where: Index, rejects: list[Reject]) -> tuple[pa.Table, list[int]]:
    """Return the table of the lines Arrow can read, and their numbers; halve to find those it cannot."""
    parts: list[pa.Table] = []
    good: list[int] = []
    todo = [(0, len(lines))] if lines else []
    while todo:
        low, high = todo.pop()
        try:
            table = _arrow(b"\n".join(lines[low:high]), form.schema)
            reason = "" if table.num_rows == high - low else "more than one object in a line"
        except pa.ArrowInvalid as error:
            reason = str(error)
        if not reason:
            parts.append(table)
            good += range(low, high)
        elif high - low == 1:
            column = _COLUMN.search(reason)
            rule = f"type:{column['name']}" if column and "changed" in reason else "json:"
            message, row = (int(n) for n in where[low])
            rejects.append(Reject(message, row, rule, reason, lines[low], NDJSON))
        else:
            middle = (low + high) // 2
            todo += [(middle, high), (low, middle)]
    return (pa.concat_tables(parts).combine_chunks() if parts else form.schema.empty_table()), good


@lru_cache(maxsize=256)
def _plain_form(contract: Contract) -> _Form:
    return _Plain(contract)


class _Plain:
    """Rows in the contract's own fields."""

    _KINDS: Mapping[str, Any] = {
        "string": str | None,
        "number": float | None,
        "integer": float | None,
        "boolean": bool | None,
        "timestamp": str | None,
    }

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self.schema = contract.wire_schema
        point = msgspec.defstruct(
            "Point", [("type", str | None, None), ("coordinates", list[float | None] | None, None)]
        )
        fields = [(f"f{n}", self._KINDS.get(p.type, point | None), None) for n, p in enumerate(contract.properties)]
        names = {f"f{n}": p.name for n, p in enumerate(contract.properties)}
        self._decoder = msgspec.json.Decoder(msgspec.defstruct(contract.name, fields, rename=names))

    def check(self, line: bytes) -> bytes:
        self._decoder.decode(line)
        return line

    def typed(self, table: pa.Table) -> tuple[pa.Table, pa.StringArray]:
        return from_wire(self._contract, table)


@lru_cache(maxsize=256)
def _mapped_form(mapping: SourceMapping, contract: Contract) -> _Form:
    return _Mapped(mapping, contract)


class _Mapped:
    """Rows in a source's fields, read by a mapping."""

    def __init__(self, mapping: SourceMapping, contract: Contract) -> None:
        self._mapping = mapping
        self._contract = contract
        self._nulls = frozenset(mapping.nulls)
        tree: dict[str, Any] = {}
        for name, wanted in mapping.sources.items():
            tree[name] = _ARROW[wanted]
            if "." in name:  # a path into nested objects, or a name with a dot: both are looked for
                _plant(tree, name.split("."), _ARROW[wanted])
        self.schema = pa.schema([pa.field(name, _grown(node)) for name, node in tree.items()])
        self._targets = {
            source: field.target.name
            for field in mapping.fields
            for source in mapping.sources
            if source in _named(field.rule)
        }

    def check(self, line: bytes) -> bytes:
        row = _OBJECT.decode(line)
        flat: dict[str, object] = {}
        for name, wanted in self._mapping.sources.items():
            try:
                flat[name] = coerced(_look_up(row, name), wanted, self._nulls)
            except ValueError as error:
                raise _UnfitError(f"type:{self._targets.get(name, name)}", f"{name}: {error}") from error
        return msgspec.json.encode(flat)

    def typed(self, table: pa.Table) -> tuple[pa.Table, pa.StringArray]:
        return transform(self._mapping, self._contract, table)


def _named(rule: object) -> tuple[str, ...]:
    values = [getattr(rule, name, ()) for name in ("source", "sources", "longitude", "latitude")]
    return tuple(name for value in values for name in ((value,) if isinstance(value, str) else value))


def _plant(tree: dict[str, Any], path: list[str], kind: pa.DataType) -> None:
    for step in path[:-1]:
        below = tree.setdefault(step, {})
        if not isinstance(below, dict):
            return
        tree = below
    tree.setdefault(path[-1], kind)


def _grown(node: Any) -> pa.DataType:
    if isinstance(node, dict):
        return pa.struct([pa.field(name, _grown(below)) for name, below in node.items()])
    return node


def _look_up(row: Mapping[str, Any], name: str) -> object:
    if name in row:
        return row[name]
    found: Any = row
    for step in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(step)
    return found
