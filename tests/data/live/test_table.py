"""The live table holds the newest row of every entity, whatever order rows come in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityops.data.contract import TIMESTAMP
from cityops.data.contract.installed import installed_contracts
from cityops.data.live.table import LiveTable

FLOW = installed_contracts()["TrafficFlowObserved"]
T0 = 1_767_225_600_000


def rows(*given: dict[str, Any]) -> pa.Table:
    defaults = {"_arrived_at": T0, "_source": "s", "_stream": "ingest", "_seq": 1}
    columns = {}
    for field in FLOW.table_schema:
        values = [(defaults | row).get(field.name) for row in given]
        array = (
            pa.array(values, pa.int64()).cast(TIMESTAMP) if field.type == TIMESTAMP else pa.array(values, field.type)
        )
        columns[field.name] = array
    return pa.table(columns)


def flow(name: str, t: int = 0, **more: Any) -> dict[str, Any]:
    return {"detector_id": name, "observed_at": T0 + t} | more


def test_newer_rows_replace_and_older_ones_do_not() -> None:
    table = LiveTable(FLOW)
    first = table.apply(rows(flow("a", 0, intensity=1.0), flow("b", 0, intensity=2.0)))
    assert (first.rows.tolist(), first.new.tolist(), first.changed.tolist()) == ([0, 1], [True] * 2, [True] * 2)
    second = table.apply(rows(flow("b", -1, intensity=9.0), flow("a", 1, intensity=1.0), flow("c", 1)))
    assert (second.rows.tolist(), second.new.tolist(), second.changed.tolist()) == (
        [0, 2],
        [False, True],
        [False, True],
    )
    third = table.apply(rows(flow("a", 2, intensity=None)))
    assert third.changed.tolist() == [True]
    assert table.ids == ["a", "b", "c"]
    assert np.isnan(table.column("intensity")[0])
    assert table.column("intensity")[1] == 2.0
    assert table.column("observed_at").tolist() == [T0 + 2, T0, T0 + 1]


def test_rows_come_back_as_they_were_given() -> None:
    given = rows(flow("a", 1, intensity=1.5, longitude=114.3, latitude=30.5), flow("b", 2))
    table = LiveTable(FLOW)
    table.apply(given)
    assert table.rows().to_pylist() == given.to_pylist()
    assert table.rows(np.array([1])).to_pylist() == given.to_pylist()[1:]


def test_texts_of_the_warehouse_may_be_bytes_and_dictionaries() -> None:
    given = rows(flow("a", 1))
    as_bytes = given.set_column(0, "detector_id", pa.array([b"a"]).dictionary_encode())
    table = LiveTable(FLOW)
    table.apply(as_bytes)
    assert "a" in table


def test_a_value_older_than_its_contract_allows_is_stale() -> None:
    table = LiveTable(FLOW)
    table.apply(rows(flow("a", 0), flow("b", 60_000)))
    fresh = int(FLOW.freshness.total_seconds() * 1000)
    assert table.stale(T0 + fresh).tolist() == [False, False]
    assert table.stale(T0 + fresh + 1).tolist() == [True, False]


def test_entities_are_found_by_place() -> None:
    table = LiveTable(FLOW)
    places = {"a": (114.30, 30.60), "b": (114.31, 30.60), "c": (114.30, 30.62), "d": (None, None)}
    table.apply(rows(*(flow(n, 0, longitude=x, latitude=y) for n, (x, y) in places.items())))
    names = np.array(table.ids)
    assert names[table.within(114.29, 30.59, 114.32, 30.61)].tolist() == ["a", "b"]
    assert names[table.nearest(114.301, 30.601, 2)].tolist() == ["a", "b"]
    table.apply(rows(flow("a", 1, longitude=115.0, latitude=31.0), flow("e", 1, longitude=114.3, latitude=30.6)))
    assert [*names.tolist(), "e"] == table.ids
    assert [table.ids[i] for i in table.nearest(114.301, 30.601)] == ["e"]
    assert table.within(0, 0, 1, 1).tolist() == []


def test_a_column_cannot_be_written_by_its_readers() -> None:
    table = LiveTable(FLOW)
    table.apply(rows(flow("a")))
    with pytest.raises(ValueError, match="read-only"):
        table.column("intensity")[0] = 5.0


_BATCH = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 20), st.none() | st.integers(0, 3)), min_size=1, max_size=12
)


@settings(deadline=None)
@given(st.lists(_BATCH, max_size=8))
def test_the_newest_row_wins_in_any_order(batches: list[list[tuple[int, int, int | None]]]) -> None:
    table = LiveTable(FLOW)
    model: dict[str, tuple[int, int | None]] = {}
    for batch in batches:
        before = dict(model)
        for number, t, value in batch:
            name = f"e{number}"
            held = model.get(name)
            newer_than_before = name not in before or t > before[name][0]
            if newer_than_before and (held is None or held == before.get(name) or t >= held[0]):
                model[name] = (t, value)
        change = table.apply(rows(*(flow(f"e{n}", t, intensity=v) for n, t, v in batch)))
        assert {table.ids[i] for i in change.rows} == {n for n in model if model[n] != before.get(n)} | {
            n for n in model if n in before and model[n][0] > before[n][0]
        }
        for row, changed in zip(change.rows.tolist(), change.changed.tolist(), strict=True):
            name = table.ids[row]
            assert changed == (name not in before or before[name][1] != model[name][1])
    for name, (t, value) in model.items():
        row = table.row_of(name)
        assert table.column("observed_at")[row] == T0 + t
        held = table.column("intensity")[row]
        assert np.isnan(held) if value is None else held == value
