from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import jsonschema
import pytest

from cityops.data.contract.installed import installed_contracts
from cityops.twin.simulation.city import SimulatedCity
from cityops.twin.simulation.devices.observation import Observation
from cityops.twin.simulation.world import World, capacity, fitting_demand

pytestmark = pytest.mark.engine

EIGHT = 1_795_132_800  # Friday 2026-11-20, 08:00 in Beijing
MINUTES = 4


@pytest.fixture(scope="module")
def morning(city: SimulatedCity) -> Iterator[tuple[World, list[Observation]]]:
    """The town from eight o'clock on, and what its devices said."""
    world = World(city, EIGHT, seed=1)
    world.populate()
    said = [observation for _ in range(60 * MINUTES) for observation in world.step()]
    yield world, said
    world.close()


Morning = tuple[World, list[Observation]]


def test_streets_are_busy_at_once(morning: Morning) -> None:
    world, _ = morning
    assert world.state()["vehicles"] > 20
    assert world.now == EIGHT + 60 * MINUTES + 1


def test_every_kind_of_device_speaks(morning: Morning) -> None:
    _, said = morning
    assert {observation.source for observation in said} >= {
        "traffic-detectors",
        "signal-control",
        "taxi-fleet",
        "bus-fleet",
        "police-units",
        "fire-units",
        "ambulance-units",
        "sanitation-fleet",
        "air-stations",
        "weather-stations",
    }


def test_every_message_keeps_its_contract(morning: Morning) -> None:
    _, said = morning
    contracts = installed_contracts()
    schemas = {name: contracts[name].json_schema for name in {observation.contract for observation in said}}
    validators = {
        name: jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
        for name, schema in schemas.items()
    }
    for observation in said:
        validators[observation.contract].validate(json.loads(observation.payload))


def test_no_device_says_two_things_of_one_moment(morning: Morning) -> None:
    _, said = morning
    contracts = installed_contracts()
    keys = Counter((o.contract, o.body[contracts[o.contract].entity], o.body["observed_at"]) for o in said)
    assert keys.most_common(1)[0][1] == 1


def test_detectors_report_once_a_minute_and_see_traffic(morning: Morning, city: SimulatedCity) -> None:
    _, said = morning
    reports = [o.body for o in said if o.contract == "TrafficFlowObserved"]
    per_detector = Counter(body["detector_id"] for body in reports)
    assert len(per_detector) == len(city.sites_of("detector"))
    assert set(per_detector.values()) <= {MINUTES - 2, MINUTES - 1, MINUTES}
    assert sum(float(str(body["intensity"])) for body in reports) > 0
    assert {str(body["road_segment_id"]) for body in reports} <= set(city.streets.ids)


def test_the_same_seed_lives_the_same_minute(city: SimulatedCity) -> None:
    def minute() -> list[tuple[str, bytes]]:
        world = World(city, EIGHT, seed=7)
        try:
            world.populate()
            return [(o.topic, o.payload) for _ in range(60) for o in world.step()]
        finally:
            world.close()

    assert minute() == minute()


def test_a_map_too_small_for_its_people_gets_the_traffic_it_can_bear(city: SimulatedCity) -> None:
    crowded = replace(city, zones=replace(city.zones, residents=city.zones.residents * 100))
    assert fitting_demand(crowded, 1).scale < 0.2
    assert fitting_demand(city, 1).scale == 1.0
    assert capacity(city) > 100
