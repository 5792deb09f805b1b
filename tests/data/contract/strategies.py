"""Contracts nobody thought of, as ODCS texts, and rows for them, good and bad."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from typing import Any

from hypothesis import strategies as st

from cityops.data.contract import Contract, Property

ARRIVED = datetime.combine(datetime.now(UTC).date() - timedelta(days=1), time(12), UTC)
"""Noon of yesterday: the engine's own clock must not find the rows too old to keep."""

PATTERNS = ("^[a-z]+$", r"^[^\x00-\x20\x7f]+$", "[0-9]", "^(on|off)?$", "^.{1,3}$")

_names = st.from_regex(r"[a-z][a-z0-9_]{0,11}", fullmatch=True)
_titles = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(
    lambda t: t.strip() == t
)
_bounds = st.integers(-1000, 1000)


@st.composite
def _properties(draw: st.DrawFn, name: str) -> dict[str, Any]:
    kind = draw(st.sampled_from(["string", "number", "integer", "boolean", "timestamp", "object"]))
    declared: dict[str, Any] = {"name": name, "logicalType": kind, "required": draw(st.booleans())}
    custom: list[dict[str, Any]] = [{"property": "titleEn", "value": draw(_titles)}]
    options: dict[str, Any] = {}
    if kind in ("number", "integer"):
        low, high = sorted((draw(_bounds), draw(_bounds)))
        options = draw(
            st.sampled_from(
                [
                    {},
                    {"minimum": low},
                    {"maximum": high},
                    {"minimum": low, "maximum": high},
                    {"exclusiveMinimum": low},
                    {"exclusiveMinimum": low, "exclusiveMaximum": high},
                ]
            )
        )
        custom.append({"property": "rollup", "value": draw(st.booleans())})
        custom.append({"property": "unit", "value": draw(st.sampled_from(["1", "km/h", "ug/m3", "{veh}/h", "Cel"]))})
    if kind == "string":
        options = draw(st.sampled_from([{}, {"maxLength": 3}, {"minLength": 2}, *({"pattern": p} for p in PATTERNS)]))
        custom.append({"property": "lowCardinality", "value": draw(st.booleans())})
        if draw(st.booleans()):
            values = draw(st.lists(st.sampled_from(["on", "off", "暂停", "a'b\\"]), min_size=1, unique=True))
            rule = {"metric": "invalidValues", "arguments": {"validValues": values}, "mustBe": 0}
            declared["quality"] = [rule]
    if kind == "object":
        custom.append({"property": "geometry", "value": "point"})
    if options:
        declared["logicalTypeOptions"] = options
    return {**declared, "businessName": draw(_titles), "description": draw(_titles), "customProperties": custom}


@st.composite
def contract_texts(draw: st.DrawFn, number: int = 0) -> str:
    """A contract file (JSON is YAML) whose names are free of clashes."""
    names = draw(st.lists(_names, min_size=3, max_size=9, unique=True))
    names = [f"{name}_{position}" for position, name in enumerate(names)]
    entity, time, *others = names
    listed = [
        {"name": entity, "logicalType": "string", "required": True, "primaryKey": True, "primaryKeyPosition": 1},
        {"name": time, "logicalType": "timestamp", "required": True, "primaryKey": True, "primaryKeyPosition": 2},
        *(draw(_properties(name)) for name in others),
    ]
    days = draw(st.integers(1, 18_000))
    document = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": f"generated-{number}",
        "name": f"Generated{number}",
        "version": "1.0.0",
        "status": "active",
        "schema": [{"name": f"generated_{number}", "businessName": draw(_titles), "properties": listed}],
        "slaProperties": [
            {"property": "latency", "value": 1, "unit": "min"},
            {"property": "retention", "value": days, "unit": "d"},
        ],
        "customProperties": [
            {"property": "rollups", "value": draw(st.lists(st.sampled_from(["1m", "1h", "1d"]), unique=True))}
        ],
    }
    return json.dumps(document, ensure_ascii=False)


def rows(contract: Contract) -> st.SearchStrategy[dict[str, Any]]:
    """A row by column, often good, often bad in one place or more."""
    return st.fixed_dictionaries({c: _values(contract, p) for p in contract.properties for c in p.columns})


def _values(contract: Contract, prop: Property) -> st.SearchStrategy[Any]:
    if prop.name == contract.time:  # never null: what has no time was refused before its time is compared
        near = st.integers(-400_000, 400_000).map(lambda ms: ARRIVED + timedelta(milliseconds=ms))
        edge = st.sampled_from([-1, 0, 1]).map(lambda ms: ARRIVED - contract.retention + timedelta(milliseconds=ms))
        return near | edge
    good: st.SearchStrategy[Any]
    match prop.type:
        case "string":
            words = [*(prop.enum or ()), "a", "abc", "on", "off", "", "12", "长路名", "a b", "x\n"]
            good = st.sampled_from(words) | st.text(st.characters(codec="utf-8"), max_size=5)
        case "number":
            exact = [
                b for b in (prop.minimum, prop.maximum, prop.exclusive_minimum, prop.exclusive_maximum) if b is not None
            ]
            good = st.sampled_from([0.0, -0.0, *exact, float("nan"), float("inf")]) | st.floats(-1100, 1100)
        case "integer":
            good = st.integers(-1100, 1100) | st.sampled_from([2**53 - 1, 2**53, -(2**53), 2**63 - 1])
        case "boolean":
            good = st.booleans()
        case "timestamp":
            first, last = datetime(1890, 1, 1), datetime(2310, 1, 1)  # noqa: DTZ001  # the strategy adds the zone
            good = st.datetimes(first, last, timezones=st.just(UTC)).map(_in_milliseconds)
        case "point":
            good = st.sampled_from([0.0, 90.0, -180.0, 180.5, float("nan"), float("inf")]) | st.floats(-200, 200)
    return good | st.none()


def _in_milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
