"""Level of service and performance index: the standards' own steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityops.apps.traffic.los import index_level, level_of_service, performance_index, travel_time_index


@pytest.mark.parametrize(
    ("ratio", "level"),
    [(1.2, 1), (0.71, 1), (0.7, 2), (0.51, 2), (0.5, 3), (0.41, 3), (0.4, 4), (0.31, 4), (0.3, 5), (0, 5)],
)
def test_level_follows_the_share_of_free_flow_speed(ratio, level):
    assert level_of_service(ratio * 60, 60.0) == level


def test_an_unknown_speed_has_no_level():
    assert level_of_service([np.nan, 30.0], [60.0, 60.0]).tolist() == [0, 3]


@given(st.floats(0, 200), st.floats(0, 200), st.floats(5, 130))
def test_slower_is_never_a_better_level(one, other, free):
    slow, fast = sorted((one, other))
    assert level_of_service(slow, free) >= level_of_service(fast, free)


@pytest.mark.parametrize(("tti", "tpi"), [(1.0, 0), (1.2, 2), (1.5, 4), (1.8, 6), (2.1, 8), (2.4, 10), (5, 10)])
def test_the_index_reads_extra_travel_time_as_beijing_does(tti, tpi):
    assert performance_index(tti) == pytest.approx(tpi)


def test_the_index_of_an_unknown_network_is_unknown():
    assert np.isnan(performance_index(travel_time_index(np.array([np.nan]), np.array([60.0]), np.array([1.0]))))


def test_a_network_at_half_speed_takes_twice_the_time():
    assert travel_time_index(np.array([30.0, 20.0]), np.array([60.0, 40.0]), np.array([5.0, 1.0])) == pytest.approx(2)


def test_links_weigh_by_the_kilometres_driven_on_them():
    tti = travel_time_index(np.array([60.0, 30.0]), np.array([60.0, 60.0]), np.array([3.0, 1.0]))
    assert tti == pytest.approx((3 * 1 + 1 * 2) / 4)


def test_speeding_does_not_make_up_for_a_jam():
    assert travel_time_index(np.array([120.0]), np.array([60.0]), np.array([1.0])) == 1.0


@given(st.lists(st.tuples(st.floats(0, 150), st.floats(20, 120), st.floats(0.1, 1e4)), min_size=1))
def test_the_index_stays_between_0_and_10(links):
    speed, free, weight = (np.array(v) for v in zip(*links, strict=True))
    assert 0 <= performance_index(travel_time_index(speed, free, weight)) <= 10


@pytest.mark.parametrize(("tpi", "level"), [(0, 1), (1.99, 1), (2, 2), (4, 3), (6, 4), (8, 5), (10, 5)])
def test_the_index_has_five_levels(tpi, level):
    assert index_level(tpi) == level
