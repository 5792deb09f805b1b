"""From the wire to the contract's types: what is taken, what is refused, value by value."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.json
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityops.data.contract import TIMESTAMP, Contract, Contracts, from_wire

Example = Callable[..., Contract]


def read_json(contract: Contract, *rows: dict[str, Any]) -> pa.Table:
    text = "\n".join(json.dumps(row) for row in rows).encode()
    parse = pa.json.ParseOptions(explicit_schema=contract.wire_schema, unexpected_field_behavior="ignore")
    return pa.json.read_json(io.BytesIO(text), parse_options=parse)


def one(contract: Contract, column: str, values: pa.Array) -> tuple[list[Any], list[str | None]]:
    """Return the converted values of `column` and the broken rules, for a table of that column alone."""
    table, broken = from_wire(contract, pa.table({column: values}))
    return table.column(column).to_pylist(), broken.to_pylist()


def test_json_becomes_the_contracts_types(contracts: Contracts) -> None:
    contract = contracts["TrafficFlowObserved"]
    row = {
        "detector_id": "D1",
        "observed_at": "2026-03-01T20:00:00+08:00",
        "intensity": 600,
        "location": {"type": "Point", "coordinates": [114.3, 30.6]},
        "colour": "blue",
    }
    table, broken = from_wire(contract, read_json(contract, row, row | {"location": None}))
    assert table.schema == contract.arrow_schema
    assert broken.to_pylist() == [None, None]
    assert table.to_pylist()[0] == {
        "detector_id": "D1",
        "observed_at": datetime(2026, 3, 1, 12, tzinfo=UTC),
        "intensity": 600.0,
        "occupancy": None,
        "average_vehicle_speed": None,
        "road_segment_id": None,
        "longitude": 114.3,
        "latitude": 30.6,
    }
    assert table.to_pylist()[1]["longitude"] is None


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01 12:00:00Z", NOON),
        ("2026-03-01T12:00Z", NOON),
        ("2026-03-01T20:00:00+08:00", NOON),
        ("2026-03-01T20:00:00+0800", NOON),
        ("2026-03-01T12:00:00.5Z", NOON + timedelta(milliseconds=500)),
        ("2026-03-01T12:00:00.123456Z", NOON + timedelta(milliseconds=123)),
        ("2026-03-01T20:00:00.123999999+08:00", NOON + timedelta(milliseconds=123)),
        ("2026-03-01T12:00:00", None),  # no zone: which noon?
        ("2026-03-01", None),
        ("2026-02-30T12:00:00Z", None),
        ("2026-03-01T25:00:00Z", None),
        ("1772366400", None),
        ("noon", None),
        ("", None),
    ],
)
def test_times_need_a_zone_and_a_real_day(example: Example, text: str, moment: datetime | None) -> None:
    values, broken = one(example(), "observed_at", pa.array([text, "2026-03-01T12:00:00Z", None]))
    assert values == [moment, NOON, None]
    assert broken == [None if moment else "type:observed_at", None, None]


def test_arrow_times_of_any_unit_are_cut_to_milliseconds(example: Example) -> None:
    exact = NOON + timedelta(microseconds=1999)
    for unit in ("us", "ns"):
        for zone in ("UTC", "Asia/Shanghai"):
            values, broken = one(example(), "observed_at", pa.array([exact], pa.timestamp(unit, zone)))
            assert values == [NOON + timedelta(milliseconds=1)]
            assert broken == [None]
    assert one(example(), "observed_at", pa.array([NOON], pa.timestamp("s", "UTC")))[0] == [NOON]


@pytest.mark.parametrize(
    ("column", "values", "converted"),
    [
        ("laeq", pa.array([1.5], pa.float32()), [1.5]),
        ("laeq", pa.array([7, None], pa.int8()), [7.0, None]),
        ("laeq", pa.array(["55.5", None, "5e1"]), [55.5, None, 50.0]),
        ("laeq", pa.array(["55.5"]).dictionary_encode(), [55.5]),
        ("events", pa.array([3.0, None]), [3, None]),
        ("events", pa.array(["3"], pa.large_string()), [3]),
        ("events", pa.array([200], pa.uint8()), [200]),
        ("station_id", pa.array([1013, None]), ["1013", None]),
        ("station_id", pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
        ("station_id", pa.nulls(2), [None, None]),
    ],
)
def test_types_that_lose_nothing_are_taken(
    example: Example, column: str, values: pa.Array, converted: list[Any]
) -> None:
    assert one(example(), column, values) == (converted, [None] * len(values))


@pytest.mark.parametrize(
    ("column", "values", "bad"),
    [
        ("laeq", pa.array(["loud", "55", None, ""]), [True, False, False, True]),
        ("laeq", pa.array([True, None]), [True, False]),
        ("laeq", pa.array([[1.0]]), [True]),
        ("events", pa.array([3.5, 3.0, None]), [True, False, False]),
        ("events", pa.array([float("nan"), 1e300, 2.0]), [True, True, False]),
        ("events", pa.array([2**63, 1], pa.uint64()), [True, False]),
        ("station_id", pa.array([1.5]), [True]),
        ("station_id", pa.array([b"\xff"], pa.binary()), [True]),
        ("observed_at", pa.array([NOON.replace(tzinfo=None)], pa.timestamp("ms")), [True]),
        ("observed_at", pa.array([1772366400000]), [True]),
        ("location", pa.array(["114,30", None]), [True, False]),
    ],
)
def test_a_value_of_the_wrong_type_breaks_the_rule(
    example: Example, column: str, values: pa.Array, bad: list[bool]
) -> None:
    _, broken = from_wire(example(), pa.table({column: values}))
    assert broken.to_pylist() == [f"type:{column}" if b else None for b in bad]


@pytest.mark.parametrize(
    ("point", "place"),
    [
        ({"type": "Point", "coordinates": [114.3, 30.6]}, (114.3, 30.6)),
        ({"type": "Point", "coordinates": [114.3, 30.6, 21.0]}, (114.3, 30.6)),
        ({"type": "Point", "coordinates": [114, 30]}, (114.0, 30.0)),
        ({"type": "Polygon", "coordinates": [114.3, 30.6]}, None),
        ({"type": "Point", "coordinates": [114.3]}, None),
        ({"type": "Point", "coordinates": [1.0, 2.0, 3.0, 4.0]}, None),
        ({"type": "Point", "coordinates": [114.3, None]}, None),
        ({"type": "Point", "coordinates": []}, None),
        ({"type": "Point", "coordinates": None}, None),
        ({"type": "Point"}, None),
        ({"coordinates": [114.3, 30.6]}, None),
        ({}, None),
    ],
)
def test_a_point_is_geojson(example: Example, point: dict[str, Any], place: tuple[float, float] | None) -> None:
    contract = example()
    fine = {"location": {"type": "Point", "coordinates": [1.0, 2.0]}}
    table, broken = from_wire(contract, read_json(contract, fine, {"location": point}, {"location": None}, fine))
    assert broken.to_pylist() == [None, None if place else "type:location", None, None]
    assert table.column("longitude").to_pylist() == [1.0, place and place[0], None, 1.0]
    assert table.column("latitude").to_pylist() == [2.0, place and place[1], None, 2.0]


def test_a_point_may_come_as_its_columns(example: Example) -> None:
    table, broken = from_wire(example(), pa.table({"longitude": ["114.3", "east"], "latitude": pa.array([30, 31])}))
    assert broken.to_pylist() == [None, "type:location"]
    assert table.column("longitude").to_pylist() == [114.3, None]
    assert table.column("latitude").to_pylist() == [30.0, 31.0]


def test_no_rows_have_the_contracts_types(example: Example) -> None:
    contract = example()
    table, broken = from_wire(contract, contract.wire_schema.empty_table())
    assert table.schema == contract.arrow_schema
    assert len(broken) == 0


def test_slices_and_chunks_are_read_whole(example: Example) -> None:
    contract = example()
    rows = [{"station_id": f"S{i}", "location": {"type": "Point", "coordinates": [i, i]}} for i in range(1, 6)]
    rows[2] = {"station_id": "S3"}
    whole = read_json(contract, *rows)
    parts = pa.concat_tables([whole.slice(1, 3), whole.slice(4)])
    table, broken = from_wire(contract, parts)
    assert broken.null_count == 4
    assert table.column("longitude").to_pylist() == [2.0, None, 4.0, 5.0]
    assert table.column("station_id").to_pylist() == ["S2", "S3", "S4", "S5"]


NUMERALS = ["1", "2.5", "x", "", "nan", "-7", "9007199254740993"]


@given(texts=st.lists(st.none() | st.sampled_from(NUMERALS), max_size=20))
def test_numerals_are_judged_one_by_one(texts: list[str | None], contracts: Contracts) -> None:
    table = pa.table({"occupancy": pa.array(texts, pa.string())})
    typed, broken = from_wire(contracts["TrafficFlowObserved"], table)
    for text, value, rule in zip(texts, typed.column("occupancy").to_pylist(), broken.to_pylist(), strict=True):
        assert rule == ("type:occupancy" if text in ("x", "") else None)
        assert (value is None) == (text is None or rule is not None)


def test_types_are_what_the_engine_and_others_expect(contracts: Contracts) -> None:
    for contract in contracts.values():
        assert contract.arrow_schema.field(contract.time).type == TIMESTAMP
        assert contract.table_schema.names == [
            *contract.arrow_schema.names,
            "_arrived_at",
            "_source",
            "_stream",
            "_seq",
        ]
        assert contract.wire_schema.names == [p.name for p in contract.properties]
