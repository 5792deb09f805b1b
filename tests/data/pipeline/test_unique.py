"""The memory of recent rows never forgets what it says it knows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.pipeline.observations import CONTRACTS, FLOW, NOW_MS

from cityops.data.contract import TIMESTAMP
from cityops.data.pipeline.unique import RecentRows, row_keys


def table(rows: list[tuple[str, int]]) -> pa.Table:
    names, times = zip(*rows, strict=True)
    return pa.table({"detector_id": pa.array(names), "observed_at": pa.array(times, pa.int64()).cast(TIMESTAMP)})


def test_keys_tell_entities_times_and_contracts_apart() -> None:
    rows = [(f"D{n}", NOW_MS + t) for n in range(500) for t in range(200)]
    keys, times = row_keys(FLOW, table(rows))
    assert len(set(keys.tolist())) == len(rows)
    assert times.tolist() == [t for _, t in rows]
    other = CONTRACTS["UnitPosition"]
    renamed = table(rows).rename_columns([other.entity, other.time])
    assert not set(row_keys(other, renamed)[0].tolist()) & set(keys.tolist())


def test_long_and_odd_names_are_told_apart() -> None:
    names = ["", "a", "a\0", "\0a", "江", "x" * 300, "x" * 299 + "y", "x" * 43 + "y" + "x" * 256, "y" + "x" * 299]
    keys, _ = row_keys(FLOW, table([(name, NOW_MS) for name in names]))
    assert len(set(keys.tolist())) == len(names)


def test_a_slice_of_a_table_has_the_keys_of_its_rows() -> None:
    whole = table([(f"D{n}", NOW_MS + n) for n in range(10)])
    assert row_keys(FLOW, whole.slice(3, 4))[0].tolist() == row_keys(FLOW, whole)[0][3:7].tolist()


@settings(deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 40), st.integers(-30, 10)), max_size=20), max_size=25),
    st.integers(4, 60),
)
def test_a_row_is_known_or_dated_before_the_horizon(batches: list[list[tuple[int, int]]], capacity: int) -> None:
    """Model: every row ever given, against a memory of a few rows. Clocks may run ahead and behind."""
    recent = RecentRows(NOW_MS, capacity)
    model: set[tuple[int, int]] = set()
    for turn, batch in enumerate(batches):
        arrived = NOW_MS + 1 + turn * 5
        rows = [(f"D{n}", arrived + offset) for n, offset in batch]
        if not rows:
            continue
        keys, times = row_keys(FLOW, table(rows))
        horizon = recent.horizon_ms
        seen = recent.add(keys, times, arrived)
        for (n, _), time, known in zip(batch, times.tolist(), seen.tolist(), strict=True):
            there = (n, time) in model
            assert not (known and not there), "a new row was taken for an old one"
            if there and not known:
                assert time <= horizon, "a row was forgotten that need not be looked up"
            model.add((n, time))


def test_memory_is_bounded() -> None:
    recent = RecentRows(0, 10_000)
    rng = np.random.default_rng(1)
    for turn in range(50):
        keys = rng.integers(1, 2**63, 1_000, dtype=np.uint64) | np.uint64(1)
        recent.add(keys, np.zeros(1_000, np.int64), turn)
    assert len(recent) <= 20_000
    assert recent.horizon_ms > 0
