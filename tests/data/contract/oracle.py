"""Slow answers to compare the vectorised ones with: one row at a time, in plain Python."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cityops.data.contract import Contract, Property

Row = Mapping[str, Any]
"""A row by column: str, float, int, bool, datetime or None."""


def first_broken(contract: Contract, row: Row, arrived: datetime) -> str | None:
    """Return the first rule `row` breaks, or None."""
    for prop in contract.properties:
        values = [row[column] for column in prop.columns]
        if rule := next(_broken(prop, values), None):
            return f"{rule}:{prop.name}"
    observed = row[contract.time]
    if observed - arrived > timedelta(minutes=5):
        return f"future:{contract.time}"
    if arrived - observed > contract.retention:
        return f"ancient:{contract.time}"
    return None


def _broken(prop: Property, values: list[Any]) -> Iterator[str]:
    if prop.required and any(v is None for v in values):
        yield "required"
    present = [v for v in values if v is not None]
    if not present:
        return
    match prop.type:
        case "string":
            yield from _broken_text(prop, present[0])
        case "number" | "integer":
            yield from _broken_number(prop, present[0])
        case "point":
            yield from _broken_point(present)
        case "timestamp":
            if not datetime(1900, 1, 1, tzinfo=UTC) <= present[0] <= datetime(2299, 12, 31, tzinfo=UTC):
                yield "range"
        case "boolean":
            pass


def _broken_text(prop: Property, text: str) -> Iterator[str]:
    if prop.required and not text:
        yield "required"
    if prop.min_length is not None and len(text) < prop.min_length:
        yield "length"
    if prop.max_length is not None and len(text) > prop.max_length:
        yield "length"
    if prop.enum is not None and text not in prop.enum:
        yield "enum"
    # `\Z`: Python's `$` also stands before a last line break, RE2's and ECMA-262's do not.
    if prop.pattern is not None and not re.search(prop.pattern.replace("$", r"\Z"), text):
        yield "pattern"


def _broken_number(prop: Property, number: float) -> Iterator[str]:
    if not math.isfinite(number):
        yield "finite"
    if prop.type == "integer" and abs(number) >= 2**53:
        yield "range"
    if prop.minimum is not None and number < prop.minimum:
        yield "range"
    if prop.maximum is not None and number > prop.maximum:
        yield "range"
    if prop.exclusive_minimum is not None and number <= prop.exclusive_minimum:
        yield "range"
    if prop.exclusive_maximum is not None and number >= prop.exclusive_maximum:
        yield "range"


def _broken_point(present: list[float]) -> Iterator[str]:
    if len(present) == 1:
        yield "half"
    if not all(map(math.isfinite, present)):
        yield "finite"
    if len(present) == 2 and (abs(present[0]) > 180 or abs(present[1]) > 90):
        yield "range"
    if all(value == 0 for value in present):
        yield "unset"
