"""JSON Schema of a contract: valid itself, and of one mind with the checks."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.json
import pytest
from jsonschema import Draft202012Validator
from tests.data.contract.strategies import ARRIVED

from cityops.data.contract import TIMESTAMP, Contract, Contracts, broken_rules, from_wire

Example = Callable[..., Contract]
GOOD: dict[str, Any] = {"station_id": "S1", "observed_at": ARRIVED.isoformat(), "laeq": 55.5, "events": 3}
POINT = {"type": "Point", "coordinates": [114.3, 30.6]}


def test_every_contracts_schema_is_a_schema(contracts: Contracts) -> None:
    for contract in contracts.values():
        Draft202012Validator.check_schema(contract.json_schema)
        assert contract.json_schema["required"] == [p.name for p in contract.properties if p.required]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"location": POINT},
        {"location": None, "laeq": None},
        {"extra": "is left out"},
        {"station_id": ""},
        {"station_id": None},
        {"station_id": 5.5},
        {"laeq": -1},
        {"laeq": 201},
        {"laeq": "loud"},
        {"events": 3.5},
        {"events": 3.0},
        {"location": {"type": "Point", "coordinates": [114.3]}},
        {"location": {"type": "Polygon", "coordinates": [114.3, 30.6]}},
        {"location": {"type": "Point", "coordinates": [30.6, 114.3]}},
        {"location": "114.3,30.6"},
    ],
)
def test_schema_and_checks_are_of_one_mind(example: Example, changes: dict[str, Any]) -> None:
    contract = example()
    row = GOOD | changes
    accepted = Draft202012Validator(contract.json_schema).is_valid(row)
    try:
        parse = pa.json.ParseOptions(explicit_schema=contract.wire_schema, unexpected_field_behavior="ignore")
        wire = pa.json.read_json(io.BytesIO(json.dumps(row).encode()), parse_options=parse)
    except pa.ArrowInvalid:
        assert not accepted
        return
    table, types = from_wire(contract, wire)
    rules = broken_rules(contract, table, pa.array([ARRIVED], TIMESTAMP))
    assert accepted == (types[0].as_py() is None and rules[0].as_py() is None)


def test_a_property_says_its_unit_and_values(contracts: Contracts) -> None:
    shown = contracts["TrafficFlowObserved"].json_schema["properties"]["average_vehicle_speed"]["anyOf"][0]
    assert (shown["x-unit"], shown["minimum"], shown["maximum"], shown["title"]) == ("km/h", 0, 200, "Mean speed")
    assert contracts["Alert"].json_schema["properties"]["severity"]["enum"] == ["I", "II", "III", "IV"]
    assert contracts["Alert"].json_schema["properties"]["observed_at"]["format"] == "date-time"
