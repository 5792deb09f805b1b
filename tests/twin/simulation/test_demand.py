from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cityops.twin.simulation.city import SimulatedCity, zones_of_streets
from cityops.twin.simulation.demand import PURPOSES, Demand, furness
from cityops.twin.simulation.en_route import en_route
from cityops.twin.simulation.incidents import incidents_of, likely_links
from cityops.twin.simulation.ways import Ways, way

positive = st.floats(0.1, 1000)


@pytest.fixture(scope="module")
def demand(city: SimulatedCity) -> Demand:
    return Demand(city.zones, city.streets, city.zone, seed=1)


def at(city: SimulatedCity, day: str, clock: str) -> int:
    return int(datetime.fromisoformat(f"{day}T{clock}:00").replace(tzinfo=city.zone).timestamp())


FRIDAY, SUNDAY = "2026-11-20", "2026-11-22"


def day_of_rates(city: SimulatedCity, demand: Demand, day: str) -> np.ndarray:
    midnight = at(city, day, "00:00")
    return np.array([demand.rate(midnight + 300 * n) for n in range(288)])


def test_a_working_day_has_the_trips_of_its_residents(city: SimulatedCity, demand: Demand) -> None:
    expected = sum(purpose.workday for purpose in PURPOSES) * city.zones.residents.sum()
    assert day_of_rates(city, demand, FRIDAY).sum() * 300 == pytest.approx(expected, rel=0.01)


def test_workers_peak_in_the_morning_and_the_evening_rush(city: SimulatedCity, demand: Demand) -> None:
    rates = day_of_rates(city, demand, FRIDAY)
    hours = np.arange(288) / 12
    assert 7.5 <= hours[np.argmax(np.where(hours < 12, rates, 0))] <= 9.0
    assert 17.5 <= hours[np.argmax(np.where(hours > 12, rates, 0))] <= 19.0
    assert rates.max() > 1.8 * rates[(hours > 10.5) & (hours < 15)].mean()
    assert rates[hours < 5].mean() < 0.1 * rates.max()


def test_a_sunday_has_no_morning_rush_and_a_late_morning_instead(city: SimulatedCity, demand: Demand) -> None:
    sunday, friday = (day_of_rates(city, demand, day) for day in (SUNDAY, FRIDAY))
    hours = np.arange(288) / 12
    assert sunday[96] < 0.5 * friday[96]  # at eight
    assert hours[np.argmax(sunday)] > 10


def test_the_number_of_trips_drawn_is_that_of_the_rate(city: SimulatedCity, demand: Demand) -> None:
    start = at(city, FRIDAY, "08:00")
    trips = demand.trips(start, start + 1200)
    expected = sum(demand.rate(second) for second in range(start, start + 1200))
    assert len(trips) == pytest.approx(expected, abs=4 * np.sqrt(expected))
    assert all(start <= trip.depart < start + 1200 for trip in trips)
    assert len({trip.id for trip in trips}) == len(trips)


@given(cut=st.integers(1, 299))
@settings(max_examples=10, deadline=None)
def test_a_seconds_trips_do_not_depend_on_how_the_day_is_cut(city: SimulatedCity, demand: Demand, cut: int) -> None:
    start = at(city, FRIDAY, "08:00")
    whole = demand.trips(start, start + 300)
    assert demand.trips(start, start + cut) + demand.trips(start + cut, start + 300) == whole


def test_another_seed_sends_other_people_out(city: SimulatedCity, demand: Demand) -> None:
    start = at(city, FRIDAY, "08:00")
    other = Demand(city.zones, city.streets, city.zone, seed=2)
    assert demand.trips(start, start + 60) != other.trips(start, start + 60)


def test_mornings_lead_to_the_jobs_in_the_middle_and_evenings_away_from_them(
    city: SimulatedCity, demand: Demand
) -> None:
    centre = set(city.zones.links[4].tolist())

    def inward(clock: str) -> float:
        trips = demand.trips(at(city, FRIDAY, clock), at(city, FRIDAY, clock) + 1200)
        ends = [(trip.origin in centre, trip.destination in centre) for trip in trips]
        return sum(b and not a for a, b in ends) / max(1, sum(a and not b for a, b in ends))

    assert inward("08:00") > 2
    assert inward("18:00") < 0.5


@given(
    productions=arrays.arrays(float, 6, elements=positive),
    attractions=arrays.arrays(float, 6, elements=positive),
    deterrence=arrays.arrays(float, (6, 6), elements=st.floats(0.01, 1)),
)
@settings(deadline=None)
def test_furness_meets_both_margins(productions: np.ndarray, attractions: np.ndarray, deterrence: np.ndarray) -> None:
    table = furness(productions, attractions, deterrence, rounds=200)
    assert table.sum(1) == pytest.approx(productions)
    assert table.sum(0) == pytest.approx(attractions * productions.sum() / attractions.sum(), rel=0.02)


def test_cars_under_way_stand_on_a_way_that_leads_to_their_zone(city: SimulatedCity, demand: Demand) -> None:
    now = at(city, FRIDAY, "08:15")
    trips = demand.trips(now - 1800, now)
    found = en_route(trips, now, city.streets, city.zones, speed=7.5, seed=1)
    assert 0 < len(found) < len(trips)
    leads = {(int(a), int(b)) for a, b in city.streets.leads_to}
    zone_of = city.zones.of_links(len(city.streets.ids))
    by_id = {trip.id: trip for trip in trips}
    for car in found:
        assert all(step in leads for step in zip(car.links, car.links[1:], strict=False))
        assert zone_of[car.links[-1]] == zone_of[by_id[car.id].destination]


def test_trips_that_set_out_long_ago_have_arrived(city: SimulatedCity, demand: Demand) -> None:
    now = at(city, FRIDAY, "09:00")
    early = demand.trips(now - 7200, now - 3600)
    assert en_route(early, now, city.streets, city.zones, speed=7.5, seed=1) == []


def test_the_quickest_way_prefers_the_fast_street(city: SimulatedCity) -> None:
    ways = Ways(city.streets)
    goal = int(np.flatnonzero(city.streets.highway == "primary")[0])
    next_links = ways.next_links(goal)
    for origin in range(0, len(city.streets.ids), 7):
        links = way(origin, goal, next_links)
        assert links[0] == origin
        assert links[-1] == goal
        assert len(set(links)) == len(links)


def test_a_city_without_zones_gets_them_from_its_streets(city: SimulatedCity) -> None:
    zones = zones_of_streets(city.streets, 20_000, width=400.0)
    assert len(zones) > 4
    assert zones.residents.sum() == pytest.approx(20_000)
    assert zones.jobs.sum() == pytest.approx(10_000)
    assert Demand(zones, city.streets, city.zone, seed=1).trips(1_700_000_000, 1_700_003_600)


def test_incidents_are_the_same_for_the_same_day_and_stand_where_cars_drive(
    city: SimulatedCity, demand: Demand
) -> None:
    day = at(city, FRIDAY, "00:00")
    watched = np.array([city.streets.index[site.link] for site in city.sites_of("camera")])
    likely = likely_links(city.streets, watched)
    first, again = (incidents_of(day, demand, city.streets, likely, 1, per_day=60) for _ in range(2))
    assert first == again
    assert len(first) == pytest.approx(60, abs=32)
    assert sum(incident.link in watched for incident in first) > 0.6 * len(first)
    for incident in first:
        assert day <= incident.start < day + 86_400
        assert 480 <= incident.end - incident.start <= 3600
        assert set(incident.lanes) <= set(range(int(city.streets.lanes[incident.link])))
        assert 0 < incident.at < city.streets.length[incident.link]
    nights = sum(1 for incident in first if incident.start < day + 5 * 3600)
    assert nights < 0.15 * len(first)


def test_links_that_lead_nowhere_are_not_used(city: SimulatedCity) -> None:
    streets = replace(city.streets, usable=city.streets.usable & (np.arange(len(city.streets.ids)) > 10))
    assert (streets.nearest(0.0, 0.0, 5) > 10).all()
