from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityops.twin.simulation.air import SPECIES, LocalSource, Region, UrbanAir, mix
from cityops.twin.simulation.emissions import (
    POLLUTANTS,
    EmissionGrid,
    StreetSample,
    road_dust,
    site_dust,
    street_emission,
)
from cityops.twin.simulation.weather import Climate

NOON = 1_784_073_600 + 5 * 3600
WEATHER = replace(Climate(113.3, 30.2, 1).at(NOON), wind_speed=2.0, wind_direction=270.0)  # westerly
OUTSIDE = {"pm25": 30.0, "pm10": 50.0, "so2": 8.0, "no2": 12.0, "o3": 80.0, "co": 0.5}
amounts = st.floats(0, 2000)


@given(amounts, amounts, amounts, amounts)
def test_mixed_air_is_never_negative_and_ozone_gives_way_to_fresh_exhaust(
    nox: float, co: float, pm10: float, pm25: float
) -> None:
    air = mix(OUTSIDE, nox, co, pm10, pm25)
    assert set(air) == set(SPECIES)
    assert all(air[name] >= OUTSIDE[name] for name in ("pm25", "pm10", "so2", "no2", "co"))
    assert 0 < air["o3"] <= OUTSIDE["o3"]
    assert air["pm10"] - OUTSIDE["pm10"] >= air["pm25"] - OUTSIDE["pm25"] - 1e-9


def test_a_town_without_sources_breathes_the_air_of_the_region() -> None:
    region = Region(1)
    air = UrbanAir(np.zeros((1, 2)), region)
    air.advance(NOON, WEATHER, EmissionGrid(np.zeros(1), np.zeros(1)), [])
    assert dict(air.at(NOON, WEATHER)[0]) == pytest.approx(region.at(NOON, WEATHER))


def test_a_site_dusts_its_lee_and_not_its_weather_side() -> None:
    air = UrbanAir(np.array([[400.0, 0.0], [-400.0, 0.0]]), Region(1))
    air.advance(NOON, WEATHER, EmissionGrid(np.zeros(1), np.zeros(1)), [LocalSource(0.0, 0.0, 100.0, 0.5)])
    lee, weather_side = (here["pm10"] for here in air.at(NOON, WEATHER))
    assert lee > weather_side + 3


def test_air_follows_a_new_source_over_minutes() -> None:
    site = [LocalSource(0.0, 0.0, 100.0, 0.5)]
    streets = EmissionGrid(np.zeros(1), np.zeros(1))
    air = UrbanAir(np.array([[400.0, 0.0]]), Region(1))
    air.advance(NOON, WEATHER, streets, [])
    rise = []
    for minute in (1, 10, 120):
        air.advance(NOON + 60 * minute, WEATHER, streets, site)
        rise.append(air.at(NOON, WEATHER)[0]["pm10"])
    settled = UrbanAir(np.array([[400.0, 0.0]]), Region(1))
    settled.advance(NOON, WEATHER, streets, site)
    assert rise[0] < rise[1] < rise[2]
    assert rise[2] == pytest.approx(settled.at(NOON, WEATHER)[0]["pm10"], rel=0.02)


@given(st.lists(st.tuples(st.floats(-5000, 5000), st.floats(-5000, 5000)), min_size=1, max_size=30))
def test_the_grid_holds_exactly_what_the_links_give_off(places: list[tuple[float, float]]) -> None:
    x, y = np.array(places).T
    grid = EmissionGrid(x, y)
    total = np.zeros(len(POLLUTANTS))
    for link in range(len(places)):
        emission = street_emission(StreetSample(link % 7, 10.0, 5.0 * link, 90.0, 0.2), 0.1)
        grid.set(link, emission)
        total += emission
    assert grid.strength.sum(axis=1) == pytest.approx(total)


def test_dust_of_a_road_is_that_of_the_published_equation() -> None:
    pm10, pm25 = road_dust(0.1, weight_t=2.0 / 1.1023)  # 2 US tons, as in AP-42's examples
    assert pm10 == pytest.approx(0.62 * 0.1**0.91 * 2**1.02)
    assert pm25 / pm10 == pytest.approx(0.15 / 0.62)


@given(st.floats(0.01, 1), st.floats(0, 15), st.floats(0, 10))
def test_work_and_wind_raise_dust_and_rain_binds_it(activity: float, wind: float, rain: float) -> None:
    dust = site_dust(15_000, activity, wind, rain)
    assert dust > site_dust(15_000, 0.0, wind, rain) > 0
    assert dust >= site_dust(15_000, activity, min(wind, 4.0), rain)
    assert dust >= site_dust(15_000, activity, wind, rain + 1)


def test_the_regions_air_is_within_what_stations_may_report_all_year() -> None:
    climate, region = Climate(113.3, 30.2, 2), Region(2)
    for hour in range(0, 8760, 7):
        t = NOON + hour * 3600
        air = region.at(t, climate.at(t))
        assert 1 < air["pm25"] < 300
        assert air["pm25"] < air["pm10"] < 500
        assert 0 < air["o3"] < 400
        assert 0 < air["co"] < 5
