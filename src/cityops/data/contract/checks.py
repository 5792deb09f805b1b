"""The vectorised checks of a contract: cheap questions over whole columns, row masks only where one of them fails."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cityops.data.contract.broken import Broken, mask_of, one_array
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
    least, most = _range_of(values)
    low, high, above, below = _bounds(prop)
    if low is not None and least < low:
        broken.add(mask_of(pc.less(values, low)), f"range:{prop.name}")
    if high is not None and most > high:
        broken.add(mask_of(pc.greater(values, high)), f"range:{prop.name}")
    if above is not None and least <= above:
        broken.add(mask_of(pc.less_equal(values, above)), f"range:{prop.name}")
    if below is not None and most >= below:
        broken.add(mask_of(pc.greater_equal(values, below)), f"range:{prop.name}")


def _bounds(prop: Property) -> tuple[float | None, float | None, float | None, float | None]:
    """Return minimum, maximum, exclusive minimum and maximum; of an integer as int, lest a value be rounded."""
    bounds = (prop.minimum, prop.maximum, prop.exclusive_minimum, prop.exclusive_maximum)
    if prop.type == "number":
        return bounds
    rounded = (math.ceil, math.floor, math.floor, math.ceil)
    low, high, above, below = (None if b is None else to(b) for to, b in zip(rounded, bounds, strict=True))
    low = -EXACT_WHOLE if low is None else max(low, -EXACT_WHOLE)
    high = EXACT_WHOLE if high is None else min(high, EXACT_WHOLE)
    return low, high, above, below


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
    if longitude.null_count or latitude.null_count:
        broken.add(mask_of(pc.xor(pc.is_null(longitude), pc.is_null(latitude))), f"half:{prop.name}")
    for values in columns:
        if not pc.all(pc.is_finite(values)).as_py():
            broken.add(mask_of(pc.invert(pc.is_finite(values))), f"finite:{prop.name}")
    ranges = [_range_of(values) for values in columns]
    for values, (least, most), limit in zip(columns, ranges, (180.0, 90.0), strict=True):
        if least < -limit or most > limit:
            broken.add(mask_of(pc.greater(pc.abs(values), limit)), f"range:{prop.name}")
    if all(least <= 0.0 <= most for least, most in ranges):
        both = pc.and_(pc.equal(longitude, 0.0), pc.equal(latitude, 0.0))
        broken.add(mask_of(both), f"unset:{prop.name}")


def _range_of(values: pa.Array) -> tuple[float, float]:
    """Return least and most of the numbers; of none, a range that holds nothing."""
    extremes = pc.min_max(values)
    least, most = extremes["min"].as_py(), extremes["max"].as_py()
    return (math.inf, -math.inf) if least is None else (least, most)


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
