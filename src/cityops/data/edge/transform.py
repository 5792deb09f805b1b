"""Applies a mapping to whole columns: source table in, contract table and broken rules out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cityops.data.contract import TIMESTAMP, Contract, from_wire
from cityops.data.contract.broken import Broken, Mask, mask_of, one_array
from cityops.data.edge.mapping import (
    Constant,
    FieldMapping,
    GeoJsonPoint,
    Place,
    Point,
    SourceMapping,
    Time,
    Value,
)
from cityops.technology.geo.coordinates import to_wgs84

LOCAL_TIME = pa.timestamp("ms")
_ISO_ZONE = r"\d{2}:?\d{2}.*(Z|z|[+-]\d{2}(:?\d{2})?)$"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_ARROW: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
}
Columns = dict[str, pa.Array]


def transform(mapping: SourceMapping, contract: Contract, source: pa.Table) -> tuple[pa.Table, pa.StringArray]:
    """Return `source` in `contract.arrow_schema`, and per row the first rule it breaks, or null.

    Rules: `column:name` (the source has no such column), `code:property` (a word no table knows), `type:property` (not
    what the property is). Columns may be text (CSV) or typed (JSON, Parquet); rows stay in their order.
    """
    broken = Broken(source.num_rows)
    columns: Columns = {}
    for field in mapping.fields:
        columns |= _apply(field, _Source(source, mapping.nulls, broken))
    typed, wire_rules = from_wire(contract, pa.table(columns))
    for field in mapping.fields:
        if field.conversion.changes:
            typed = _convert(typed, field)
        elif isinstance(field.rule, (Point, GeoJsonPoint)) and field.rule.system not in {"WGS84", "CGCS2000"}:
            typed = _relocate(typed, field, field.rule.system)
    return typed, pc.coalesce(broken.rules(), wire_rules)


class _Source:
    """The source's columns by name or dotted path, blanks trimmed and null words gone."""

    def __init__(self, table: pa.Table, nulls: tuple[str, ...], broken: Broken) -> None:
        self.table = table
        self.rows = table.num_rows
        self.broken = broken
        self._nulls = pa.array(nulls, pa.string())

    def column(self, name: str) -> pa.Array:
        found = column_at(self.table, name)
        if found is None:
            self.broken.add(np.ones(self.rows, np.bool_), f"column:{name}")
            return pa.nulls(self.rows, pa.string())
        if pa.types.is_dictionary(found.type):
            found = found.dictionary_decode()
        if pa.types.is_large_string(found.type) or pa.types.is_string_view(found.type):
            found = found.cast(pa.string())
        if not pa.types.is_string(found.type):
            return found
        trimmed = pc.utf8_trim_whitespace(found)
        return pc.if_else(pc.is_in(trimmed, value_set=self._nulls), pa.scalar(None, pa.string()), trimmed)

    def text(self, name: str) -> pa.Array:
        found = self.column(name)
        if pa.types.is_floating(found.type):  # 3.0 is how a reader may hold the code 3
            whole = pc.equal(found, pc.floor(found))
            if pc.all(whole).as_py():
                found = found.cast(pa.int64())
        return found if pa.types.is_string(found.type) else found.cast(pa.string())

    def number(self, name: str, rule: str) -> pa.Array:
        """Return float64; what is no number is null and breaks `rule`."""
        found = self.column(name)
        if not pa.types.is_string(found.type):
            return found.cast(pa.float64())
        good = pc.match_substring_regex(found, _NUMBER)
        self.broken.add(mask_of(pc.invert(good)), rule)
        return pc.if_else(good, found, pa.scalar(None, pa.string())).cast(pa.float64())


def column_at(table: pa.Table, name: str) -> pa.Array | None:
    """Return the column `name`, or what the dotted path `name` leads to inside struct columns, or None."""
    exact = one_array(table.column(name)) if name in table.column_names else None
    head, *path = name.split(".")
    if not path or head not in table.column_names:
        return exact
    nested = one_array(table.column(head))
    for step in path:
        if not pa.types.is_struct(nested.type) or nested.type.get_field_index(step) < 0:
            return exact
        nested = pc.struct_field(nested, step)
    return nested if exact is None else pc.coalesce(exact, nested)


def _apply(field: FieldMapping, source: _Source) -> Columns:  # noqa: PLR0911  # one for each kind of rule
    name, rule = field.target.name, field.rule
    match rule:
        case Constant():
            column = pa.repeat(pa.scalar(rule.value, _ARROW[field.target.type]), source.rows)
            return {name: column}
        case Value() if rule.codes is not None:
            return {name: _coded(rule, rule.codes, source, field)}
        case Value():
            return {name: source.column(rule.source)}
        case Time():
            return {name: _time(rule, source, f"type:{name}")}
        case Point():
            columns = (source.number(part, f"type:{name}") for part in (rule.longitude, rule.latitude))
            return dict(zip(field.target.columns, columns, strict=True))
        case GeoJsonPoint():
            return {name: source.column(rule.source)}
        case Place():
            return _place(rule, source, field)


def _coded(rule: Value, codes: Mapping[str, object], source: _Source, field: FieldMapping) -> pa.Array:
    words = source.text(rule.source)
    if rule.fold_case:
        words = pc.utf8_upper(words)
    found = pc.index_in(words, value_set=pa.array(codes, pa.string()))
    if not rule.unknown_is_null:
        unknown = pc.and_(pc.is_valid(words), pc.is_null(found))
        source.broken.add(mask_of(unknown), f"code:{field.target.name}")
    return pa.array(list(codes.values()), _ARROW[field.target.type]).take(found)


def _place(rule: Place, source: _Source, field: FieldMapping) -> Columns:
    names = source.text(rule.source)
    found = pc.index_in(names, value_set=pa.array(rule.places, pa.string()))
    source.broken.add(mask_of(pc.and_(pc.is_valid(names), pc.is_null(found))), f"code:{field.target.name}")
    axes = zip(*rule.places.values(), strict=True) if rule.places else ((), ())
    return {
        column: pa.array(axis, pa.float64()).take(found)
        for column, axis in zip(field.target.columns, axes, strict=True)
    }


def _time(rule: Time, source: _Source, broken_rule: str) -> pa.Array:
    if rule.format.startswith("epoch"):
        seconds = source.number(rule.sources[0], broken_rule)
        scale = 1.0 if rule.format == "epoch_ms" else 1000.0
        return _epoch(pc.multiply(seconds, scale), source.broken, broken_rule)
    first = source.column(rule.sources[0])
    if len(rule.sources) == 1 and pa.types.is_timestamp(first.type):
        return (
            first
            if first.type.tz or rule.zone is None
            else _localised(first.cast(LOCAL_TIME, safe=False), rule, source, broken_rule)
        )
    words = pc.binary_join_element_wise(*(source.text(name) for name in rule.sources), " ")
    if rule.format == "iso":
        return _iso(rule, words, source, broken_rule)
    parsed, bad = _parsed(words, *_by_pattern(rule.format))
    source.broken.add(bad, broken_rule)
    return parsed.cast(TIMESTAMP) if rule.zone is None else _localised(parsed, rule, source, broken_rule)


def _epoch(milliseconds: pa.Array, broken: Broken, rule: str) -> pa.Array:
    far = pc.greater(pc.abs(milliseconds), 253_402_300_799_999.0)  # 9999-12-31, the last day of ISO 8601's four digits
    broken.add(mask_of(far), rule)
    near = pc.if_else(far, pa.scalar(None, pa.float64()), milliseconds)
    return pc.round(near).cast(pa.int64()).cast(TIMESTAMP)


def _iso(rule: Time, words: pa.Array, source: _Source, broken_rule: str) -> pa.Array:
    """Texts with an offset are left to the contract's own reading; those without are local to the rule's zone."""
    if rule.zone is None:
        return words
    zoned = pc.match_substring_regex(words, _ISO_ZONE)
    if pc.all(zoned).as_py():
        return words
    local_words = pc.if_else(pc.fill_null(zoned, False), pa.scalar(None, pa.string()), words)
    local, bad = _parsed(local_words, lambda texts: texts.cast(LOCAL_TIME), datetime.fromisoformat)
    source.broken.add(bad, broken_rule)
    placed = _localised(local, rule, source, broken_rule)
    # Back to text, so that one column holds both kinds and from_wire reads them.
    return pc.coalesce(
        pc.strftime(placed, "%Y-%m-%dT%H:%M:%SZ"), pc.if_else(zoned, words, pa.scalar(None, pa.string()))
    )


Reader = Callable[[pa.Array], pa.Array]


def _by_pattern(pattern: str) -> tuple[Reader, Callable[[str], datetime]]:
    def together(words: pa.Array) -> pa.Array:
        found = pc.strptime(words, pattern, unit="ms", error_is_null=True)
        if found.null_count > words.null_count:
            raise pa.ArrowInvalid("a word does not match")
        # strptime turns 30 February into 2 March; only the first days of a month can hide that.
        if "%d" in pattern and pc.any(pc.less_equal(pc.day(found), 3)).as_py():
            early = words.filter(pc.less_equal(pc.day(found), 3)).unique()
            for word in early.to_pylist():
                _one(word)
        return found

    def _one(word: str) -> datetime:
        try:
            return datetime.strptime(word, pattern)  # noqa: DTZ007  # the zone is given by the caller
        except ValueError as error:
            raise pa.ArrowInvalid(str(error)) from error

    return together, _one


def _parsed(words: pa.Array, together: Reader, one: Callable[[str], datetime]) -> tuple[pa.Array, Mask]:
    """Read all words at once or, when one is bad, each different word once; return times and the mask of the bad."""
    try:
        return together(words), np.zeros(len(words), np.bool_)
    except pa.ArrowInvalid:
        encoded = words.dictionary_encode()
    times: list[datetime | None] = []
    for word in encoded.dictionary.to_pylist():
        try:
            times.append(one(word))
        except ValueError:  # ArrowInvalid is one
            times.append(None)
    zoned = any(time is not None and time.tzinfo for time in times)
    read = pa.array(times, pa.timestamp("us", "UTC") if zoned else pa.timestamp("us"))
    found = read.cast(pa.timestamp("ms", read.type.tz), safe=False).take(encoded.indices)
    return found, mask_of(pc.and_(pc.is_valid(words), pc.is_null(found)))


def _localised(local: pa.Array, rule: Time, source: _Source, broken_rule: str) -> pa.Array:
    """Return UTC. An hour that comes twice (autumn) is its first; one that never was (spring) breaks the rule."""
    try:
        placed = pc.assume_timezone(local, rule.zone, ambiguous="earliest", nonexistent="raise")
    except ValueError:
        before, placed = (
            pc.assume_timezone(local, rule.zone, ambiguous="earliest", nonexistent=side)
            for side in ("earliest", "latest")
        )
        never = pc.not_equal(before, placed)
        source.broken.add(mask_of(never), broken_rule)
        placed = pc.if_else(never, pa.scalar(None, placed.type), placed)
    return placed.cast(TIMESTAMP)


def _convert(table: pa.Table, field: FieldMapping) -> pa.Table:
    index = table.schema.get_field_index(field.target.name)
    values = pc.multiply(table.column(index), field.conversion.scale)
    if field.conversion.offset:
        values = pc.add(values, field.conversion.offset)
    return table.set_column(index, table.schema.field(index), values)


def _relocate(table: pa.Table, field: FieldMapping, system: str) -> pa.Table:
    names = field.target.columns
    given = [one_array(table.column(name)) for name in names]
    longitude, latitude = (np.asarray(axis.to_numpy(zero_copy_only=False), np.float64) for axis in given)
    moved = to_wgs84(longitude, latitude, system)
    for name, axis, values in zip(names, given, moved, strict=True):
        index = table.schema.get_field_index(name)
        table = table.set_column(index, table.schema.field(index), pa.array(values, mask=mask_of(pc.is_null(axis))))
    return table


def coerced(value: object, wanted: str, nulls: frozenset[str]) -> object:
    """Return one JSON value as the kind a mapping wants (text of a number, number of a text), or raise ValueError."""
    if value is None or (isinstance(value, str) and value.strip() in nulls):
        return None
    found: object = None
    match wanted:
        case "text":
            found = _as_text(value)
        case "number" | "integer":
            found = _as_number(value)
        case "boolean":
            found = value if isinstance(value, bool) else _BOOLEANS.get(str(value).strip().lower())
        case "point" if isinstance(value, dict):
            found = value
    if found is None:
        raise ValueError(f"{value!r} is no {wanted}")
    return found


_BOOLEANS = {"true": True, "false": False}
_LARGEST = 1e300


def _as_text(value: object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value) if isinstance(value, (str, int)) else None


def _as_number(value: object) -> float | None:
    if isinstance(value, str):
        return float(value) if re.match(_NUMBER, value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < _LARGEST else None  # whole numbers in JSON have no end
