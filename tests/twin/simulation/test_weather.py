from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityops.twin.simulation.noise import OrnsteinUhlenbeck
from cityops.twin.simulation.weather import Climate, relative_humidity, sun_elevation

DAY = 86_400
JANUARY, JULY = 1_768_435_200, 1_784_073_600  # 15 January and 15 July 2026, 00:00 UTC
WUHAN = (113.3, 30.2)


def test_noise_forgets_at_the_rate_it_is_told() -> None:
    times = np.arange(400) * 977.0
    for lag, expected in ((0.0, 1.0), (1800.0, 0.61), (3600.0, 0.37)):
        seeds = range(40)
        products = [
            np.mean([(p := OrnsteinUhlenbeck(3600, 2.0, seed, "test"))(t) * p(t + lag) for t in times[::8]])
            for seed in seeds
        ]
        assert np.mean(products) / 4 == pytest.approx(expected, abs=0.12)


def test_noise_is_a_function_of_time_and_seed_alone() -> None:
    one, same, other = (OrnsteinUhlenbeck(3600, 1.0, seed, "wind") for seed in (1, 1, 2))
    assert one(1.7e9) == same(1.7e9)
    assert one(1.7e9) != other(1.7e9)
    assert abs(one(1.7e9 + 1) - one(1.7e9)) < 0.2


@given(st.floats(1.7e9, 1.9e9), st.integers(0, 50))
def test_weather_is_what_stations_may_report(t: float, seed: int) -> None:
    weather = Climate(*WUHAN, seed).at(t)
    assert 0 <= weather.relative_humidity <= 1
    assert weather.dew_point < weather.temperature
    assert -40 < weather.temperature < 50
    assert 950 < weather.atmospheric_pressure < 1070
    assert 0 < weather.wind_speed < 30
    assert 0 <= weather.wind_direction < 360
    assert weather.precipitation >= 0
    assert np.hypot(*weather.wind_vector) == pytest.approx(weather.wind_speed)


def test_july_is_hot_january_cold_and_afternoons_warmer_than_nights() -> None:
    climate = Climate(*WUHAN, 1)
    hours = np.arange(0, 20 * DAY, 3600)
    january, july = (np.array([climate.at(start + h).temperature for h in hours]) for start in (JANUARY, JULY))
    assert july.mean() - january.mean() > 18
    afternoon = (hours // 3600 + 8) % 24 == 15
    night = (hours // 3600 + 8) % 24 == 4
    assert july[afternoon].mean() - july[night].mean() > 3


def test_it_rains_now_and_then_and_damp_air_goes_with_it() -> None:
    climate = Climate(*WUHAN, 3)
    year = [climate.at(JANUARY + h * 7200) for h in range(4380)]
    wet = [weather for weather in year if weather.precipitation > 0.1]
    assert 0.02 < len(wet) / len(year) < 0.25
    assert min(weather.relative_humidity for weather in wet) > 0.8


def test_wind_direction_is_where_it_comes_from() -> None:
    weather = Climate(*WUHAN, 1).at(JULY)
    east, north = weather.wind_vector
    coming = np.radians(weather.wind_direction)
    assert np.sin(coming) == pytest.approx(-east / weather.wind_speed)
    assert np.cos(coming) == pytest.approx(-north / weather.wind_speed)


def test_the_sun_stands_high_at_noon_and_below_at_midnight() -> None:
    noon = JULY + DAY - 113.3 / 15 * 3600 + DAY / 2 - DAY
    assert sun_elevation(noon, *WUHAN) == pytest.approx(90 - 30.2 + 21.5, abs=1.5)
    assert sun_elevation(noon + DAY / 2, *WUHAN) < -30


def test_air_at_its_dew_point_is_saturated() -> None:
    assert relative_humidity(20.0, 20.0) == 1.0
    assert relative_humidity(20.0, 9.27) == pytest.approx(0.5, abs=0.01)
