"""The data link's numbers: percentiles near the truth, rates of counters that may begin anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rows import Told

from cityops.data.contract.installed import installed_contracts
from cityops.ioc.datalink import WINDOW_S, DataLink, Delays, Rate

T = 1_800_000_000.0
UNITS = installed_contracts()["UnitPosition"]


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=200), st.sampled_from([50, 90, 99]))
def test_a_percentile_is_right_to_ten_per_cent(delays, percent):
    known = Delays()
    known.add(np.array(delays), T)
    (found,) = known.percentiles(T, percent)
    exact = sorted(delays)[max(0, int(np.ceil(len(delays) * percent / 100)) - 1)]
    assert found == pytest.approx(exact, rel=0.11, abs=0.1)


def test_delays_older_than_the_window_are_forgotten():
    known = Delays()
    known.add(np.full(100, 5000.0), T)
    known.add(np.full(1, 10.0), T + WINDOW_S)
    assert known.percentiles(T + WINDOW_S + 1, 99)[0] == pytest.approx(10, rel=0.11)
    assert known.percentiles(T + 3 * WINDOW_S, 50) == [None]


def test_a_rate_is_the_counters_growth():
    rate = Rate()
    assert rate.per_second(T) is None
    for k in range(11):
        rate.read(1000 + 50 * k, T + k)
    assert rate.per_second(T + 10) == 50
    assert rate.per_second(T + 10 + 2 * WINDOW_S) is None


def test_a_counter_that_falls_has_begun_anew():
    rate = Rate()
    for value, when in ((1000, T), (2000, T + 1), (0, T + 2), (30, T + 3)):
        rate.read(value, when)
    assert rate.per_second(T + 3) == 30


def test_processes_of_a_role_are_added_up():
    link = DataLink(0)
    for k in range(3):
        link.telemetry("pipeline", 1, {"rows": 100.0 * k}, T + k)
        link.telemetry("pipeline", 2, {"rows": 5000 + 10.0 * k}, T + k)
    assert link.state(0, 0, T + 2).rows_per_s == 110


def test_delay_counts_from_arrival_to_the_feed_and_history_does_not_count():
    link = DataLink(int(T * 1000))
    told = Told(UNITS, lambda table, change: link.received(table, change, T + 1))
    place = {"kind": "crew", "longitude": 113.3, "latitude": 30.2}
    told({"unit_id": "old", "observed_at": T - 3600, **place}, {"unit_id": "new", "observed_at": T + 0.5, **place})
    assert link.state(0, 0, T + 1).delay_p50_ms is None
    link.shown(["UnitPosition"], T + 1)
    state = link.state(0, 0, T + 1)
    assert state.delay_p50_ms == pytest.approx(500, rel=0.11)
    assert state.delay_p99_ms == pytest.approx(500, rel=0.11)
    assert [source.contract for source in state.sources] == ["UnitPosition"]


def test_pushed_bytes_are_said_for_one_screen():
    link = DataLink(0)
    link.state(0, 4, T)
    assert link.state(40_000, 4, T + 1).push_bytes_per_s == 10_000
