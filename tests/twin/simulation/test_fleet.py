from __future__ import annotations

import itertools

import numpy as np

from cityops.twin.simulation.fleet import Fix, Fleet, Unit
from cityops.twin.simulation.itineraries import Drive, Itinerary, Wait, bus, patrol, ready, sprinkler, taxi


class StraightRoads:
    """Streets on which every drive takes thirty seconds and every link lies at x = its number."""

    def __init__(self) -> None:
        self.begun: dict[str, tuple[int, int]] = {}
        self.closed: set[int] = set()

    def send(self, vehicle: str, kind: str, origin: int, destination: int, *, stops: bool) -> bool:
        if destination in self.closed:
            return False
        self.begun[vehicle] = (origin, destination)
        return True

    def fix_of(self, vehicle: str) -> Fix | None:
        return Fix(float(self.begun[vehicle][0]), 0.0, 8.0, 90.0)

    def middle_of(self, link: int) -> Fix:
        return Fix(float(link), 0.0, 0.0, 0.0)


def unit(itinerary: Itinerary, link: int = 1) -> Unit:
    return Unit("U1", "police", itinerary, link)


def steps(itinerary: Itinerary, count: int) -> list[Drive | Wait]:
    return list(itertools.islice(itinerary, count))


def test_a_unit_drives_waits_and_drives_on_from_where_it_arrived() -> None:
    roads = StraightRoads()
    fleet = Fleet([unit(iter([Drive(5, "patrol"), Wait(20, "patrol"), Drive(9, "patrol"), Wait(999, "standby")]))])
    fleet.advance(0, roads, [])
    assert roads.begun == {"U1/1": (1, 5)}
    fleet.advance(30, roads, ["U1/1"])
    fleet.advance(49, roads, [])
    assert "U1/2" not in roads.begun
    fleet.advance(50, roads, [])
    assert roads.begun["U1/2"] == (5, 9)


def test_moving_units_report_often_resting_ones_seldom_and_silent_ones_never() -> None:
    roads = StraightRoads()
    waiting = Unit("W", "fire", iter([Wait(1e9, "standby")]), 3)
    silent = Unit("S", "bus", iter([Wait(1e9, "parked", silent=True)]), 4)
    fleet = Fleet([unit(iter([Drive(5, "patrol")])), waiting, silent])
    said: list[str] = []
    for t in range(600):
        fleet.advance(t, roads, [])
        said += [report.unit for report in fleet.reports(t, roads)]
    assert said.count("U1") == 120
    assert said.count("W") == 10
    assert said.count("S") == 0


def test_a_unit_that_has_arrived_stands_still() -> None:
    roads = StraightRoads()
    fleet = Fleet([unit(iter([Drive(5, "patrol"), Wait(1e9, "standby")]))])
    fleet.advance(0, roads, [])
    fleet.reports(0, roads)
    fleet.advance(30, roads, ["U1/1"])
    (report,) = (report for t in range(30, 90) for report in fleet.reports(t, roads))
    assert report.status == "standby"
    assert report.fix.speed == 0


def test_a_unit_that_cannot_go_somewhere_goes_on_with_its_day() -> None:
    roads = StraightRoads()
    roads.closed.add(5)
    fleet = Fleet([unit(iter([Drive(5, "patrol"), Drive(6, "patrol")]))])
    for t in range(60):
        fleet.advance(t, roads, [])
    assert list(roads.begun.values()) == [(1, 6)]


def test_taxis_leave_the_streets_at_night() -> None:
    chance = np.random.default_rng(1)
    night = steps(taxi(lambda: 7, lambda: 0.02, 0.5, chance), 6)
    assert all(isinstance(step, Wait) and step.silent for step in night)
    day = steps(taxi(lambda: 7, lambda: 0.9, 0.5, chance), 20)
    assert sum(isinstance(step, Drive) for step in day) >= 8


def test_buses_go_to_and_fro_and_stop_on_the_way() -> None:
    drives = [step for step in steps(bus((3, 8), 0, lambda: True, 60.0, 5.0), 9) if isinstance(step, Drive)]
    assert [drive.to for drive in drives] == [8, 3, 8, 3]
    assert all(drive.stops for drive in drives)


def test_an_ambulance_goes_to_the_scene_by_the_hospital_and_home() -> None:
    statuses = [step.status for step in steps(ready(1, lambda: 4, 8.0, 900.0, (2,), np.random.default_rng(1)), 6)]
    assert statuses == ["standby", "en route", "on scene", "transporting", "at hospital", "returning"]


def test_a_fire_engine_returns_straight_from_the_scene() -> None:
    statuses = [step.status for step in steps(ready(1, lambda: 4, 1.0, 900.0, (), np.random.default_rng(1)), 4)]
    assert statuses == ["standby", "en route", "on scene", "returning"]


def test_patrols_keep_to_their_beat() -> None:
    day = steps(patrol([4, 5, 6], 1, np.random.default_rng(1)), 100)
    assert {step.to for step in day if isinstance(step, Drive)} == {1, 4, 5, 6}


def test_sprinklers_wash_every_street_of_the_round_in_working_hours_only() -> None:
    assert [s.to for s in steps(sprinkler([4, 5, 6], 1, lambda: True), 4) if isinstance(s, Drive)] == [4, 5, 6, 1]
    assert all(isinstance(step, Wait) for step in steps(sprinkler([4], 1, lambda: False), 5))
