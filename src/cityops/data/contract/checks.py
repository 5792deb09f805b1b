"""The vectorised checks of a contract: cheap questions over whole columns, row masks only where one of them fails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cityops.data.contract.broken import Broken, Mask, mask_of, one_array
from cityops.data.contract.model import TIMESTAMP, Contract, Property

FUTURE_TOLERANCE = timedelta(minutes=5)
"""How far a source's clock may run ahead of ours."""

EARLIEST, LATEST = (pa.scalar(datetime(*day, tzinfo=UTC), TIMESTAMP) for day in ((1900, 1, 1), (2299, 12, 31)))
"""What ClickHouse's DateTime64(3) holds."""

EXACT_WHOLE = 2**53 - 1
"""Largest whole number that every JSON reader agrees on (RFC 7493, section 2.2)."""


def broken_rules(contract: Contract, table: pa.Table, arrived_at: pa.Array) -> pa.StringArray:
    """Return per row the first rule it breaks, as `rule:property`, or null.

    `table` has the columns of `contract.arrow_schema` (more are ignored), `arrived_at` is timestamp ms UTC per row.
    Rules in the order of the properties: required (null or empty text), finite (NaN, infinite), range, length, enum,
    pattern, half (a point with one coordinate), unset (a point at exactly 0, 0: a receiver without a fix); then future
    (the time property lies beyond FUTURE_TOLERANCE after arrival) and ancient (older at arrival than the contract's
    retention).
    """
    broken = Broken(table.num_rows)
    if table.num_rows == 0:
        return broken.rules()
    arrived = arrived_at if isinstance(arrived_at, pa.Array) else one_array(arrived_at)
    for prop in contract.properties:
        columns = [one_array(table.column(name)) for name in prop.columns]
        _check_required(broken, prop, columns)
        _CHECKS[prop.type](broken, prop, columns)
    _check_time(broken, contract, one_array(table.column(contract.time)), arrived)
    return broken.rules()


def _check_required(broken: Broken, prop: Property, columns: list[pa.Array]) -> None:
    if not prop.required:
        return
    for values in columns:
        if values.null_count:
            broken.add(mask_of(pc.is_null(values)), f"required:{prop.name}")


def _check_number(broken: Broken, prop: Property, columns: list[pa.Array]) -> None:
    (values,) = columns
    if prop.type == "number" and not pc.all(pc.is_finite(values)).as_py():
        broken.add(mask_of(pc.invert(pc.is_finite(values))), f"finite:{prop.name}")
    _check_range(broken, prop, values)


def _check_range(broken: Broken, prop: Property, values: pa.Array) -> None:
    low, high = prop.minimum, prop.maximum
    if prop.type == "integer":
        low = max(-EXACT_WHOLE, -EXACT_WHOLE if low is None else low)
        high = min(EXACT_WHOLE, EXACT_WHOLE if high is None else high)
    extremes = pc.min_max(values)
    least, most = extremes["min"].as_py(), extremes["max"].as_py()
    if least is None:
        return
    outside: list[pa.Array] = []
    if low is not None and least < low:
        outside.append(pc.less(values, low))
    if high is not None and most > high:
        outside.append(pc.greater(values, high))
    if prop.exclusive_minimum is not None and least <= prop.exclusive_minimum:
        outside.append(pc.less_equal(values, prop.exclusive_minimum))
    if prop.exclusive_maximum is not None and most >= prop.exclusive_maximum:
        outside.append(pc.greater_equal(values, prop.exclusive_maximum))
    for mask in outside:
        broken.add(mask_of(mask), f"range:{prop.name}")


def _check_string(broken: Broken, prop: Property, columns: list[pa.Array]) -> None:
    """Look at every different value once: texts repeat, so a dictionary is cheaper than a pattern a row."""
    shortest = max(prop.min_length or 0, 1 if prop.required else 0)
    if not shortest and prop.max_length is None and prop.enum is None and prop.pattern is None:
        return
    (values,) = columns
    if values.null_count == len(values):
        return
    encoded = values.dictionary_encode()
    words, codes = encoded.dictionary, encoded.indices
    lengths = pc.utf8_length(words)
    if prop.required:
        _add_words(broken, codes, pc.equal(lengths, 0), f"required:{prop.name}")
    if prop.min_length:
        _add_words(broken, codes, pc.less(lengths, prop.min_length), f"length:{prop.name}")
    if prop.max_length is not None:
        _add_words(broken, codes, pc.greater(lengths, prop.max_length), f"length:{prop.name}")
    if prop.enum is not None:
        allowed = pa.array(prop.enum, pa.string())
        _add_words(broken, codes, pc.invert(pc.is_in(words, value_set=allowed)), f"enum:{prop.name}")
    if prop.pattern is not None:
        _add_words(broken, codes, pc.invert(pc.match_substring_regex(words, prop.pattern)), f"pattern:{prop.name}")


def _add_words(broken: Broken, codes: pa.Array, bad_words: pa.Array, rule: str) -> None:
    bad = mask_of(bad_words)
    if bad.any():
        rows = codes.fill_null(-1).to_numpy(zero_copy_only=False)
        broken.add(np.append(bad, np.False_)[rows], rule)


def _check_point(broken: Broken, prop: Property, columns: list[pa.Array]) -> None:
    longitude, latitude = columns
    if longitude.null_count != latitude.null_count or longitude.null_count:
        half = pc.xor(pc.is_null(longitude), pc.is_null(latitude))
        broken.add(mask_of(half), f"half:{prop.name}")
    zero: Mask | None = None
    for values, limit in ((longitude, 180.0), (latitude, 90.0)):
        if values.null_count == len(values):
            return
        if not pc.all(pc.is_finite(values)).as_py():
            broken.add(mask_of(pc.invert(pc.is_finite(values))), f"finite:{prop.name}")
        extremes = pc.min_max(values)
        least, most = extremes["min"].as_py(), extremes["max"].as_py()
        if least < -limit or most > limit:
            broken.add(mask_of(pc.greater(pc.abs(values), limit)), f"range:{prop.name}")
        if least <= 0.0 <= most:
            at_zero = mask_of(pc.equal(values, 0.0))
            zero = at_zero if zero is None else zero & at_zero
        else:
            zero = np.zeros(len(values), dtype=np.bool_)
    if zero is not None:
        broken.add(zero, f"unset:{prop.name}")


def _check_time(broken: Broken, contract: Contract, observed: pa.Array, arrived: pa.Array) -> None:
    ahead = pc.cast(pc.subtract(observed, arrived), pa.int64())
    extremes = pc.min_max(ahead)
    least, most = extremes["min"].as_py(), extremes["max"].as_py()
    if least is None:
        return
    tolerance, retention = (round(t.total_seconds() * 1000) for t in (FUTURE_TOLERANCE, contract.retention))
    if most > tolerance:
        broken.add(mask_of(pc.greater(ahead, tolerance)), f"future:{contract.time}")
    if least < -retention:
        broken.add(mask_of(pc.less(ahead, -retention)), f"ancient:{contract.time}")


def _check_timestamp(broken: Broken, prop: Property, columns: list[pa.Array]) -> None:
    """Refuse what the warehouse's DateTime64 cannot hold; the time property has `_check_time` as well."""
    (values,) = columns
    extremes = pc.min_max(values)
    least, most = extremes["min"], extremes["max"]
    if least.is_valid and (least.value < EARLIEST.value or most.value > LATEST.value):
        outside = pc.or_(pc.less(values, EARLIEST), pc.greater(values, LATEST))
        broken.add(mask_of(outside), f"range:{prop.name}")


def _check_boolean(_broken: Broken, _prop: Property, _columns: list[pa.Array]) -> None:
    """A boolean is right once it is one."""


_CHECKS: dict[str, Callable[[Broken, Property, list[pa.Array]], None]] = {
    "string": _check_string,
    "number": _check_number,
    "integer": _check_number,
    "boolean": _check_boolean,
    "timestamp": _check_timestamp,
    "point": _check_point,
}
