"""Vehicles with a radio: taxis, buses, police, fire, ambulances, sprinklers; their itineraries turned into movement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cityops.twin.simulation.itineraries import Drive, Itinerary, Wait

RETRY_S = 30.0
"""A unit whose drive could not begin (no way there) goes on with its itinerary after so many seconds."""


@dataclass(frozen=True)
class Fix:
    """Where a vehicle is: metres on the network's plane, speed in m/s, heading in degrees clockwise from north."""

    x: float
    y: float
    speed: float
    heading: float


@dataclass(frozen=True)
class Report:
    """What a unit radios: its fix and its status."""

    unit: str
    kind: str
    status: str
    fix: Fix


class Roads(Protocol):
    """The part of a traffic simulation that units use; links are rows of Streets."""

    def send(self, vehicle: str, kind: str, origin: int, destination: int, *, stops: bool) -> bool:
        """Let a vehicle set out and follow it; False when it cannot."""
        ...

    def fix_of(self, vehicle: str) -> Fix | None:
        """Return the position of a followed vehicle, None when it is not on the road (yet or any more)."""
        ...

    def middle_of(self, link: int) -> Fix:
        """Return the middle of a link, at rest."""
        ...


_UNBORN = Wait(0.0, "standby", silent=True)


@dataclass
class Unit:
    """One vehicle with a radio. `link` is the row of Streets where it is or where its last drive began."""

    id: str
    kind: str
    itinerary: Itinerary
    link: int
    moving_period: int = 5
    resting_period: int = 60
    doing: Drive | Wait = _UNBORN
    until: float = 0.0
    leg: int = 0
    fix: Fix | None = None
    under_way: bool = False

    @property
    def vehicle(self) -> str:
        """Name of the vehicle of the present drive in the traffic simulation."""
        return f"{self.id}/{self.leg}"


class Fleet:
    """All units with a radio; moved once a simulated second."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self.units = list(units)
        self._driving: dict[str, Unit] = {}

    def advance(self, t: float, roads: Roads, ended: Iterable[str]) -> None:
        """Bring units to `t`: `ended` names vehicles whose drive came to an end since the last call."""
        for vehicle in ended:
            if unit := self._driving.pop(vehicle, None):
                unit.link = unit.doing.to if isinstance(unit.doing, Drive) else unit.link
                unit.under_way = False
                unit.until = t
        for unit in self.units:
            while not unit.under_way and t >= unit.until:
                self._next(unit, t, roads)

    def reports(self, t: int, roads: Roads) -> list[Report]:
        """Return what the units radio in second `t`: moving ones every moving_period, the others more seldom."""
        found = []
        for number, unit in enumerate(self.units):
            if isinstance(unit.doing, Wait) and unit.doing.silent:
                continue
            period = unit.moving_period if unit.under_way else unit.resting_period
            if (t + number) % period:
                continue
            if unit.under_way:
                unit.fix = roads.fix_of(unit.vehicle) or unit.fix
            elif unit.fix is None:
                unit.fix = roads.middle_of(unit.link)
            elif unit.fix.speed:
                unit.fix = Fix(unit.fix.x, unit.fix.y, 0.0, unit.fix.heading)
            if unit.fix is not None:
                found.append(Report(unit.id, unit.kind, unit.doing.status, unit.fix))
        return found

    def counts(self) -> Mapping[str, int]:
        """Return how many units of each kind are on the streets."""
        kinds: dict[str, int] = {}
        for unit in self._driving.values():
            kinds[unit.kind] = kinds.get(unit.kind, 0) + 1
        return kinds

    def _next(self, unit: Unit, t: float, roads: Roads) -> None:
        unit.doing = next(unit.itinerary)
        if isinstance(unit.doing, Wait):
            unit.until = t + max(1.0, unit.doing.seconds)
            return
        unit.leg += 1
        if unit.doing.to == unit.link:
            return
        if roads.send(unit.vehicle, unit.kind, unit.link, unit.doing.to, stops=unit.doing.stops):
            unit.under_way = True
            self._driving[unit.vehicle] = unit
        else:
            unit.until = t + RETRY_S
