"""The air quality index keeps to HJ 633-2026, Table 3."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityops.apps.environment import aqi

# Table 3 as printed, independent of the code's own layout: IAQI, then SO2 24h/1h, NO2 24h/1h, CO 24h/1h, O3 8h/1h,
# PM10 24h, PM2.5 24h.
COLUMNS = [("so2", "24h"), ("so2", "1h"), ("no2", "24h"), ("no2", "1h"), ("co", "24h"), ("co", "1h"), ("o3", "8h")]
COLUMNS += [("o3", "1h"), ("pm10", "24h"), ("pm25", "24h")]
TABLE = """
0   0    0   0   0    0  0   0   0    0   0
50  50   150 40  100  2  5   100 160  50  35
100 150  500 80  200  4  10  160 200  120 60
150 475  650 180 700  14 35  215 300  250 115
200 800  800 280 1200 24 60  265 400  350 150
300 1600 -   565 2340 36 90  800 800  420 250
400 2100 -   750 3090 48 120 -   1000 500 350
500 2620 -   940 3840 60 150 -   1200 600 500
"""
POINTS = [
    (column, float(value), int(row.split()[0]))
    for row in TABLE.strip().splitlines()
    for column, value in zip(COLUMNS, row.split()[1:], strict=True)
    if value != "-"
]


@pytest.mark.parametrize(("column", "concentration", "index"), POINTS)
def test_every_breakpoint_gives_its_index(column, concentration, index):
    assert aqi.iaqi(*_asked(column, concentration)) == index


@pytest.mark.parametrize(("column", "concentration", "index"), [p for p in POINTS if p[2] > 0])
def test_just_above_a_breakpoint_is_rounded_up(column, concentration, index):
    step = 0.1 if column[0] == "co" else 1.0
    above = aqi.iaqi(*_asked(column, concentration + step))
    last = max(i for c, _, i in POINTS if c == column)
    assert above is not None
    assert above > index if index < last else above == last


@given(st.sampled_from(COLUMNS), st.floats(0, 4000), st.floats(0, 4000))
def test_more_pollution_never_gives_a_lower_index(column, one, other):
    low, high = sorted((one, other))
    assert aqi.iaqi(*_asked(column, low)) <= aqi.iaqi(*_asked(column, high))


@given(st.sampled_from(COLUMNS), st.floats(0, 4000))
def test_an_index_lies_between_those_of_the_points_around_it(column, concentration):
    points = sorted((value, index) for c, value, index in POINTS if c == column)
    value = float(aqi.rounded(column[0], concentration))
    below = max((i for v, i in points if v <= value), default=0)
    above = min((i for v, i in points if v >= value), default=points[-1][1])
    assert below <= aqi.iaqi(*_asked(column, concentration)) <= above


@pytest.mark.parametrize("missing", [math.nan, math.inf, -1.0])
def test_what_is_no_concentration_has_no_index(missing):
    assert aqi.iaqi("pm25", missing, "24h") is None


def test_concentrations_are_rounded_before_they_are_judged():
    assert aqi.iaqi("pm25", 35.5, "24h") == aqi.iaqi("pm25", 36.0, "24h")  # half to even
    assert aqi.iaqi("pm25", 34.5, "24h") == aqi.iaqi("pm25", 34.0, "24h")
    assert aqi.iaqi("co", 5.04, "1h") == 50


def test_sulphur_dioxide_above_800_in_an_hour_is_judged_by_its_day():
    assert aqi.iaqi("so2", 900, "1h", 475) == 150
    assert aqi.iaqi("so2", 900, "1h") == 200


def test_ozone_above_800_in_eight_hours_is_judged_by_its_hour():
    assert aqi.iaqi("o3", 900, "8h", 1000) == 400


def test_the_hourly_report_takes_particles_by_the_day_and_the_worst_pollutant():
    report = aqi.hourly({"pm25": 60, "pm10": 60, "no2": 10, "so2": None})
    assert report is not None
    assert (report.aqi, report.level, report.primary) == (100, 2, ("pm25",))
    assert report.iaqi == {"pm25": 100, "pm10": 58, "no2": 5}


def test_good_air_has_no_primary_pollutant():
    report = aqi.hourly({"pm25": 35, "pm10": 20})
    assert report is not None
    assert (report.aqi, report.primary) == (50, ())


def test_two_equal_pollutants_are_both_primary():
    report = aqi.hourly({"pm25": 115, "pm10": 250})
    assert report is not None
    assert report.primary == ("pm25", "pm10")


def test_nothing_measured_gives_no_report():
    assert aqi.hourly({}) is None


@pytest.mark.parametrize(
    ("index", "level"), [(0, 1), (50, 1), (51, 2), (100, 2), (150, 3), (200, 4), (300, 5), (301, 6), (500, 6)]
)
def test_levels_begin_above_the_bound_before(index, level):
    assert aqi.level(index) == level


def _asked(column, concentration):
    """Return the arguments of `iaqi`; above a short row's end the period that takes over is given the same value."""
    return (column[0], concentration, column[1])
