"""The checks: each rule by an example, all of them against a slow oracle, and what they cost."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.data.contract.oracle import first_broken
from tests.data.contract.strategies import ARRIVED, contract_texts, rows

from cityops.data.contract import TIMESTAMP, Contract, Contracts, broken_rules, load_contract

Example = Callable[..., Contract]
BUDGET_US = 0.3


def table_of(contract: Contract, listed: list[dict[str, Any]]) -> pa.Table:
    columns = {f.name: pa.array([row.get(f.name) for row in listed], f.type) for f in contract.arrow_schema}
    return pa.table(columns, schema=contract.arrow_schema)


def checked(contract: Contract, *listed: dict[str, Any], arrived: datetime = ARRIVED) -> list[str | None]:
    arrivals = pa.array([arrived] * len(listed), TIMESTAMP)
    found: list[str | None] = broken_rules(contract, table_of(contract, list(listed)), arrivals).to_pylist()
    return found


def good(**changes: Any) -> dict[str, Any]:
    row = {"station_id": "S1", "observed_at": ARRIVED, "laeq": 55.0, "events": 3, "longitude": 114.3, "latitude": 30.6}
    return row | changes


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({}, None),
        ({"laeq": None, "events": None, "longitude": None, "latitude": None}, None),
        ({"station_id": None}, "required:station_id"),
        ({"station_id": ""}, "required:station_id"),
        ({"observed_at": None}, "required:observed_at"),
        ({"laeq": math.nan}, "finite:laeq"),
        ({"laeq": math.inf}, "finite:laeq"),
        ({"laeq": -0.001}, "range:laeq"),
        ({"laeq": 200.001}, "range:laeq"),
        ({"laeq": 0.0}, None),
        ({"laeq": 200.0}, None),
        ({"events": 2**53}, "range:events"),
        ({"longitude": None}, "half:location"),
        ({"latitude": None}, "half:location"),
        ({"latitude": math.nan}, "finite:location"),
        ({"longitude": 30.6, "latitude": 114.3}, "range:location"),
        ({"longitude": -180.1}, "range:location"),
        ({"longitude": 0.0, "latitude": 0.0}, "unset:location"),
        ({"longitude": 0.0}, None),
        ({"observed_at": ARRIVED + timedelta(minutes=5)}, None),
        ({"observed_at": ARRIVED + timedelta(minutes=5, milliseconds=1)}, "future:observed_at"),
        ({"observed_at": ARRIVED - timedelta(days=30)}, None),
        ({"observed_at": ARRIVED - timedelta(days=30, milliseconds=1)}, "ancient:observed_at"),
        ({"observed_at": datetime(1, 1, 1, tzinfo=UTC)}, "range:observed_at"),
        ({"observed_at": datetime(9999, 1, 1, tzinfo=UTC)}, "range:observed_at"),
        ({"laeq": 999.0, "observed_at": ARRIVED - timedelta(days=99)}, "range:laeq"),
    ],
)
def test_a_rule_by_example(example: Example, changes: dict[str, Any], rule: str | None) -> None:
    assert checked(example(), good(), good(**changes), good()) == [None, rule, None]


@pytest.mark.parametrize(
    ("options", "text", "rule"),
    [
        ("{maxLength: 3}", "abcd", "length:events"),
        ("{maxLength: 3}", "长路名", None),
        ("{minLength: 2}", "a", "length:events"),
        ("{pattern: '^[a-z]+$'}", "a1", "pattern:events"),
        ("{pattern: '^[a-z]+$'}", "a\n", "pattern:events"),
        ("{pattern: '^[a-z]+$'}", None, None),
        ("{}", "", None),
    ],
)
def test_a_rule_of_texts(example: Example, options: str, text: str | None, rule: str | None) -> None:
    contract = example(("logicalType: integer", f"logicalType: string, logicalTypeOptions: {options}"))
    assert checked(contract, good(events=text), good(events="ab")) == [rule, None]


def test_a_value_outside_the_list_is_refused(contracts: Contracts) -> None:
    row = {"unit_id": "A1", "observed_at": ARRIVED, "kind": "fire", "longitude": 114.0, "latitude": 30.0}
    assert checked(contracts["UnitPosition"], row, row | {"kind": "boat"}) == [None, "enum:kind"]


def test_bounds_may_be_exclusive(example: Example) -> None:
    contract = example(("{minimum: 0, maximum: 200}", "{exclusiveMinimum: 0, exclusiveMaximum: 200}"))
    found = checked(contract, *(good(laeq=value) for value in (0.0, 0.1, 199.9, 200.0)))
    assert found == ["range:laeq", None, None, "range:laeq"]


def test_a_required_point_must_be_there(example: Example) -> None:
    contract = example(("logicalType: object,", "logicalType: object, required: true,"))
    missing = good(longitude=None, latitude=None)
    assert checked(contract, good(), missing) == [None, "required:location"]


def test_arrival_counts_row_by_row(example: Example) -> None:
    contract = example()
    arrivals = pa.array([ARRIVED, ARRIVED - timedelta(hours=1)], TIMESTAMP)
    found = broken_rules(contract, table_of(contract, [good(), good()]), arrivals)
    assert found.to_pylist() == [None, "future:observed_at"]


def test_no_rows_break_nothing(example: Example) -> None:
    assert checked(example()) == []


def test_columns_in_chunks_are_checked_whole(example: Example) -> None:
    contract = example()
    parts = [table_of(contract, [good()]), table_of(contract, [good(laeq=-1.0)]), table_of(contract, [])]
    arrivals = pa.chunked_array([pa.array([ARRIVED], TIMESTAMP), pa.array([ARRIVED], TIMESTAMP)])
    assert broken_rules(contract, pa.concat_tables(parts), arrivals).to_pylist() == [None, "range:laeq"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), text=contract_texts())
def test_checks_agree_with_the_oracle(data: st.DataObject, text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "generated.odcs.yaml"
    path.write_text(text, "utf-8")
    contract = load_contract(path)
    listed = data.draw(st.lists(rows(contract), max_size=8))
    assert checked(contract, *listed) == [first_broken(contract, row, ARRIVED) for row in listed]


def test_checks_are_cheap(contracts: Contracts) -> None:
    contract, count = contracts["TrafficFlowObserved"], 20_000
    ids = np.arange(count) % 5_000
    columns = {
        "detector_id": pa.array([f"D{i:05d}" for i in ids]),
        "observed_at": pa.array([ARRIVED] * count, TIMESTAMP),
        "intensity": pa.array(ids % 1_200 + 0.0),
        "occupancy": pa.array(ids / 5_000),
        "average_vehicle_speed": pa.array(ids % 60 + 0.5),
        "road_segment_id": pa.array([f"L{i:05d}" for i in ids]),
        "longitude": pa.array(114 + ids / 1e5),
        "latitude": pa.array(30 + ids / 1e5),
    }
    table, arrivals = pa.table(columns), pa.array([ARRIVED] * count, TIMESTAMP)
    spent = []
    for _ in range(20):
        started = time.process_time()
        assert broken_rules(contract, table, arrivals).null_count == count
        spent.append((time.process_time() - started) / count * 1e6)
    assert min(spent) < BUDGET_US, f"{min(spent):.3f} µs a row"
