from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityops.twin.simulation.timing import DAY_S, Pace, iso, local_time, midnight_before, zone_of

BEIJING = timezone(timedelta(hours=8))
instants = st.floats(1.6e9, 2.0e9)


def test_real_time_is_always_due_now() -> None:
    pace = Pace(wall_start=1000.0, simulated_start=1000.0)
    assert [pace.due(t) for t in (1000.0, 1500.5, 90_000.0)] == [1000.0, 1500.5, 90_000.0]


@given(start=st.floats(0, 86_400), speed=st.floats(1.01, 500), waited=st.floats(0, 1e6))
def test_a_fast_city_never_runs_ahead_of_the_clock_and_stays_with_it_once_met(
    start: float, speed: float, waited: float
) -> None:
    pace = Pace(wall_start=1e9, simulated_start=1e9 - start, speed=speed)
    wall = 1e9 + waited
    assert pace.due(wall) <= wall
    meets = 1e9 + start / (speed - 1)
    if wall > meets + 1:
        assert pace.due(wall) == wall


@given(gone=st.floats(1, 86_400), speed=st.floats(1.01, 500))
def test_an_instant_is_due_at_the_wall_time_that_is_said_for_it(gone: float, speed: float) -> None:
    pace = Pace(wall_start=1e9, simulated_start=1e9 - 40_000, speed=speed)
    instant = 1e9 - 40_000 + gone
    assert pace.due(pace.wall_of(instant)) == pytest.approx(instant, abs=1e-3)


def test_time_that_is_slower_or_in_the_future_is_refused() -> None:
    with pytest.raises(ValueError, match="faster"):
        Pace(0.0, 0.0, speed=0.5)
    with pytest.raises(ValueError, match="future"):
        Pace(0.0, 1.0)


@given(instants)
def test_midnight_is_the_last_one_of_the_local_day(t: float) -> None:
    midnight = midnight_before(t, BEIJING)
    assert 0 <= t - midnight < DAY_S
    assert datetime.fromtimestamp(midnight, BEIJING).strftime("%H:%M:%S") == "00:00:00"


def test_local_time_knows_the_day_of_the_week() -> None:
    friday_evening = datetime(2026, 11, 20, 17, 45, tzinfo=BEIJING).timestamp()
    assert local_time(friday_evening, BEIJING) == (17.75, 4)


def test_a_city_whose_zone_the_machine_does_not_know_keeps_the_hour_of_its_meridian() -> None:
    assert zone_of("Nowhere/Land", 25.0).utcoffset(datetime.now(UTC)) == timedelta(hours=2)


def test_times_on_the_wire_are_utc() -> None:
    assert iso(1_700_000_000) == "2023-11-14T22:13:20.000Z"
