"""What units do all day: endless itineraries of drives and waits, each a plain generator that knows no simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

Draw = Callable[[], int]
"""Returns a row of Streets to go to next."""


@dataclass(frozen=True)
class Drive:
    """Go to a link (row of Streets) by the quickest way, with this status; `stops` makes it halt as a bus does."""

    to: int
    status: str
    stops: bool = False


@dataclass(frozen=True)
class Wait:
    """Stay where one is for so many seconds, with this status; `silent` units report nothing meanwhile."""

    seconds: float
    status: str
    silent: bool = False


Itinerary = Iterator[Drive | Wait]


def taxi(destination: Draw, demand: Callable[[], float], fleet_share: float, chance: np.random.Generator) -> Itinerary:
    """Carry fares and cruise between them; leave the streets when `demand` (share of the peak) is below fleet_share."""
    yield Wait(float(chance.uniform(0, 90)), "off duty", silent=True)
    while True:
        while demand() < fleet_share:
            yield Wait(float(chance.uniform(600, 1800)), "off duty", silent=True)
        yield Drive(destination(), "occupied")
        yield Wait(float(chance.uniform(15, 60)), "vacant")
        if chance.random() < 0.6:
            yield Drive(destination(), "vacant")
            yield Wait(float(chance.uniform(10, 40)), "vacant")


def bus(
    terminals: tuple[int, int], leg: int, in_service: Callable[[], bool], layover_s: float, first_after_s: float
) -> Itinerary:
    """Run to and fro between two terminals in the hours of service; the first leg comes from terminal `leg`."""
    yield Wait(first_after_s, "parked", silent=True)
    while True:
        while not in_service():
            yield Wait(600.0, "parked", silent=True)
        leg = 1 - leg
        yield Drive(terminals[leg], "in service", stops=True)
        yield Wait(layover_s, "layover")


def patrol(beat: Sequence[int], station: int, chance: np.random.Generator) -> Itinerary:
    """Drive from point to point of a beat, halt for a while, and return to the station now and then."""
    yield Wait(float(chance.uniform(0, 600)), "standby")
    while True:
        for _ in range(int(chance.integers(4, 9))):
            yield Drive(int(chance.choice(beat)), "patrol")
            yield Wait(float(chance.uniform(60, 300)), "patrol")
        yield Drive(station, "returning")
        yield Wait(float(chance.uniform(600, 2400)), "standby")


def ready(
    station: int, scene: Draw, calls_a_day: float, on_scene_s: float, then: Sequence[int], chance: np.random.Generator
) -> Itinerary:
    """Stand by at the station; on a call drive to the scene, work, go by one of `then` (a hospital) and return."""
    while True:
        yield Wait(float(chance.exponential(86_400 / calls_a_day)), "standby")
        yield Drive(scene(), "en route")
        yield Wait(float(chance.gamma(4.0, on_scene_s / 4)), "on scene")
        if then:
            yield Drive(int(chance.choice(then)), "transporting")
            yield Wait(float(chance.uniform(300, 900)), "at hospital")
        yield Drive(station, "returning")


def sprinkler(round_trip: Sequence[int], depot: int, at_work: Callable[[], bool]) -> Itinerary:
    """Wash the main streets one after another in the hours of work, with a stop to refill after each round."""
    while True:
        while not at_work():
            yield Wait(600.0, "standby")
        for link in round_trip:
            yield Drive(link, "working")
        yield Drive(depot, "returning")
        yield Wait(900.0, "refilling")
