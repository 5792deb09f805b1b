"""A batch of messages: what is stored, what is set aside and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.data.pipeline.observations import CONTRACTS, FLOW, NOW_MS, flow, iso, message

from cityops.data.edge.mapping import MappingError, SourceMapping
from cityops.data.pipeline import batch as batch_module
from cityops.data.pipeline.batch import Batch, newest, process, process_all
from cityops.data.pipeline.message import Message
from cityops.data.pipeline.unique import RecentRows
from cityops.data.warehouse.client import WarehouseUnavailable

LONG_AGO = 0


def no_mapping(id_: str, contract: str) -> SourceMapping:
    raise MappingError(f"no mapping {id_} for {contract}")


def never_stored(*_: Any) -> Any:
    raise AssertionError("nothing here is older than what is remembered")


def run(
    messages: list[Message], recent: RecentRows | None = None, is_stored: Callable[..., Any] = never_stored
) -> Batch:
    recent = RecentRows(LONG_AGO) if recent is None else recent
    return process("ingest", messages, CONTRACTS, no_mapping, recent, is_stored)


def quarantine(batch: Batch) -> list[dict[str, Any]]:
    return [row for table in batch.quarantined for row in table.to_pylist()]


def rules(batch: Batch) -> list[str]:
    return sorted(row["rule"] for row in quarantine(batch))


def stored(batch: Batch, contract: str = "TrafficFlowObserved") -> list[dict[str, Any]]:
    return [row for table in batch.good.get(contract, []) for row in table.to_pylist()]


def test_a_good_row_has_what_the_log_knows_of_it() -> None:
    (row,) = stored(
        run([message([flow(location={"type": "Point", "coordinates": [114.3, 30.6]})], 7, source="gate/3")])
    )
    assert (row["detector_id"], row["intensity"], row["longitude"], row["latitude"]) == ("D1", 600.0, 114.3, 30.6)
    assert (row["_stream"], row["_seq"], row["_source"]) == ("ingest", 7, "gate/3")
    assert int(row["_arrived_at"].timestamp() * 1000) == NOW_MS


@pytest.mark.parametrize(
    ("change", "rule", "reason"),
    [
        ({"intensity": 99_999}, "range:intensity", "intensity is outside 0 to 12000 {veh}/h"),
        ({"occupancy": -0.1}, "range:occupancy", "occupancy is outside 0 to 1"),
        ({"detector_id": None}, "required:detector_id", "detector_id is missing"),
        ({"detector_id": ""}, "required:detector_id", "detector_id is missing"),
        ({"observed_at": iso(NOW_MS + 400_000)}, "future:observed_at", "is more than 300 s after its arrival"),
        ({"observed_at": "1999-01-01T00:00:00Z"}, "ancient:observed_at", "is older than the 1095 days"),
        ({"observed_at": "9999-12-31T23:59:59Z"}, "range:observed_at", "the years 1900 to 2299"),
        ({"observed_at": "0001-01-01T00:00:00Z"}, "range:observed_at", "the years"),
        ({"intensity": "x"}, "type:intensity", "intensity"),
        ({"location": {"type": "Point", "coordinates": [500, 0]}}, "range:location", "-180 to 180"),
    ],
)  # fmt: skip
def test_a_row_that_breaks_its_contract_is_kept_with_rule_reason_and_bytes(
    change: dict[str, Any], rule: str, reason: str
) -> None:
    bad = flow("D2") | change
    batch = run([message([flow("D1")], 1), message([flow("D3"), bad], 2, source="s2")])
    assert [row["detector_id"] for row in stored(batch)] == ["D1", "D3"]
    (row,) = quarantine(batch)
    assert row["rule"] == rule
    assert reason in row["reason"]
    assert json.loads(row["raw"]) == bad
    place = (row["contract"], row["_source"], row["_stream"], row["_seq"], row["_row"], row["content_type"])
    assert place == ("TrafficFlowObserved", "s2", "ingest", 2, 1, "application/x-ndjson")


def test_a_clock_within_the_tolerance_is_believed() -> None:
    assert not quarantine(run([message([flow(ms=NOW_MS + 290_000)])]))


def test_doubles_are_set_aside_wherever_they_come_from() -> None:
    recent = RecentRows(LONG_AGO)
    first = run([message([flow("D1"), flow("D2"), flow("D1")], 1), message(flow("D2"), 2)], recent)
    assert [row["detector_id"] for row in stored(first)] == ["D1", "D2"]
    assert rules(first) == ["unique", "unique"]
    again = run([message(flow("D1"), 3), message([flow("D1", NOW_MS + 1)], 4)], recent)
    assert len(stored(again)) == 1
    (row,) = quarantine(again)
    assert (row["rule"], json.loads(row["raw"])) == ("unique", flow("D1"))


def test_rows_older_than_the_memory_are_looked_up() -> None:
    asked: list[list[str]] = []

    def is_stored(_contract: object, rows: pa.Table, _keys: object, _times: object) -> Any:
        asked.append(rows["detector_id"].to_pylist())
        return np.array([name == "D1" for name in asked[-1]])

    rows = [flow("D1", NOW_MS - 10), flow("D2", NOW_MS - 10), flow("D1", NOW_MS + 10)]
    batch = run([message(rows)], RecentRows(NOW_MS), is_stored)
    assert asked == [["D1", "D2"]]
    assert [row["detector_id"] for row in stored(batch)] == ["D2", "D1"]
    assert rules(batch) == ["unique"]


def test_a_warehouse_that_is_away_leaves_nothing_half_learnt() -> None:
    recent = RecentRows(NOW_MS)

    def away(*_: object) -> Any:
        raise WarehouseUnavailable("away")

    messages = [message([flow("D1", NOW_MS + 10)], 1), message([flow("D1", NOW_MS - 10)], 2)]
    for attempt in (run, lambda *given: process_all("ingest", given[0], CONTRACTS, no_mapping, given[1], given[2])):
        with pytest.raises(WarehouseUnavailable):
            attempt(messages, recent, away)
    assert len(recent) == 0
    assert len(stored(run(messages, recent, lambda _c, rows, _k, _t: np.zeros(len(rows), bool)))) == 2


def test_what_nobody_knows_is_set_aside_whole() -> None:
    batch = run([message(b"x", 1, contract="TraficFlowObserved"), message(b"y", 2, mapping="m"), message([flow()], 3)])
    assert rules(batch) == ["contract:", "mapping:"]
    named = {row["rule"]: row for row in quarantine(batch)}
    assert "did you mean TrafficFlowObserved" in named["contract:"]["reason"]
    assert (named["mapping:"]["raw"], named["mapping:"]["content_type"]) == (b"y", "application/x-ndjson; mapping=m")
    assert batch.good_rows == 1


def test_a_message_that_our_own_code_fails_on_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    real = batch_module.decode

    def fragile(contract: Any, content_type: str, mapping: Any, messages: Any) -> Any:
        if any(m.source == "poison" for m in messages):
            raise ZeroDivisionError("poison")
        return real(contract, content_type, mapping, messages)

    monkeypatch.setattr(batch_module, "decode", fragile)
    messages = [message([flow(f"D{n}")], n, source="poison" if n == 4 else "s") for n in range(1, 8)]
    batch = process_all("ingest", messages, CONTRACTS, no_mapping, RecentRows(LONG_AGO), never_stored)
    assert (batch.first, batch.last, batch.good_rows, rules(batch)) == (1, 7, 6, ["failed:"])


def test_the_newest_row_of_each_entity_goes_live() -> None:
    rows = [flow("D1", NOW_MS), flow("D2", NOW_MS - 5), flow("D1", NOW_MS - 9), flow("D2", NOW_MS)]
    (table,) = run([message(rows)]).good["TrafficFlowObserved"]
    latest = newest(FLOW, table)
    assert sorted(
        zip(latest["detector_id"].to_pylist(), latest["observed_at"].cast(pa.int64()).to_pylist(), strict=True)
    ) == [
        ("D1", NOW_MS),
        ("D2", NOW_MS),
    ]


def test_the_schema_is_the_contracts() -> None:
    (table,) = run([message([flow()])]).good["TrafficFlowObserved"]
    assert table.schema.names == FLOW.table_schema.names
    assert table.schema.types == FLOW.table_schema.types
