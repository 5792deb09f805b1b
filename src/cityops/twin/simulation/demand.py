"""Who drives when and where: a day's car trips between zones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cityops.twin.simulation.chance import generator
from cityops.twin.simulation.city import Streets, Zones
from cityops.twin.simulation.timing import local_time

Floats = npt.NDArray[np.float64]

SATURDAY = 5
DETOUR = 1.3
"""Length of a way through streets over the straight line (Ballou et al. 2002: 1.2-1.4 in dense networks)."""


class Bump(NamedTuple):
    """A share of a day's trips around an hour of the local day: a normal density wrapped at midnight."""

    hour: float
    spread: float  # hours
    share: float

    def at(self, hour: float) -> float:
        """Return the density (per hour) at `hour`."""
        gap = (hour - self.hour + 12) % 24 - 12
        return float(self.share * np.exp(-0.5 * (gap / self.spread) ** 2) / (self.spread * np.sqrt(2 * np.pi)))


@dataclass(frozen=True)
class Purpose:
    """Why people drive: car trips per resident on a working day and at the weekend, and when they set out."""

    name: str
    workday: float
    weekend: float
    workday_hours: Sequence[Bump]
    weekend_hours: Sequence[Bump]
    reach_m: float  # distances fall off by exp(-distance / reach)

    def rate(self, hour: float, weekday: int) -> float:
        """Return trips per resident and hour that set out at `hour` of the local day."""
        free = weekday >= SATURDAY
        bumps = self.weekend_hours if free else self.workday_hours
        return (self.weekend if free else self.workday) * sum(bump.at(hour) for bump in bumps)


# Half a car trip a resident and day: some 200 cars for 1000 people, 2.5 trips each.
# Commuting gathers in 7:30-9:00 and 17:30-19:00; shopping and visits fill the day; the rest is business and deliveries.
TO_WORK = Purpose("to work", 0.145, 0.04, (Bump(8.0, 0.6, 0.9), Bump(9.8, 1.4, 0.1)), (Bump(9.0, 1.5, 1.0),), 4500)
TO_HOME = Purpose("home", 0.135, 0.04, (Bump(18.0, 0.7, 0.8), Bump(20.3, 1.2, 0.2)), (Bump(18.5, 2.0, 1.0),), 4500)
BUSINESS = Purpose("business", 0.085, 0.04, (Bump(10.3, 1.7, 0.5), Bump(15.0, 1.8, 0.5)), (Bump(13.0, 3.5, 1.0),), 3500)
LEISURE = Purpose(
    "leisure",
    0.145,
    0.26,
    (Bump(11.8, 2.4, 0.35), Bump(17.0, 2.4, 0.4), Bump(20.8, 1.6, 0.2), Bump(2.0, 2.5, 0.05)),
    (Bump(11.0, 2.0, 0.4), Bump(16.5, 2.4, 0.35), Bump(20.5, 1.8, 0.2), Bump(1.5, 2.2, 0.05)),
    3000,
)
PURPOSES = (TO_WORK, TO_HOME, BUSINESS, LEISURE)


class Trip(NamedTuple):
    """One car trip: when it sets out (seconds since the epoch) and rows of Streets where it begins and ends."""

    id: str
    depart: float
    origin: int
    destination: int


def furness(productions: Floats, attractions: Floats, deterrence: Floats, rounds: int = 30) -> Floats:
    """Return the trip table with these row and column sums (in the measure of productions), by Furness (1965)."""
    attractions = attractions * productions.sum() / attractions.sum()
    table = np.maximum(deterrence, 1e-12)
    for _ in range(rounds):
        table = table * (attractions / table.sum(0))[None, :]
        table = table * (productions / table.sum(1))[:, None]
    return np.asarray(table, np.float64)


class Demand:
    """A city's car trips at any time; a second's trips depend on the seed and that second alone."""

    def __init__(self, zones: Zones, streets: Streets, zone: tzinfo, seed: int, scale: float = 1.0) -> None:
        self._streets, self._zones, self._zone, self._seed = streets, zones, zone, seed
        self.scale = scale
        self._residents = float(zones.residents.sum())
        distance = np.hypot(zones.x[:, None] - zones.x[None, :], zones.y[:, None] - zones.y[None, :])
        work = np.maximum(zones.jobs, 1e-3)
        homes = np.maximum(zones.residents, 1e-3)
        mixed = homes / homes.sum() + work / work.sum()
        self._tables = []
        for purpose in PURPOSES:
            deterrence = np.exp(-distance / purpose.reach_m)
            np.fill_diagonal(deterrence, deterrence.diagonal() * 0.15)  # neighbours walk
            from_, to = {"to work": (homes, work), "home": (work, homes), "business": (work, work)}.get(
                purpose.name, (homes, mixed)
            )
            table = furness(from_, to, deterrence)
            self._tables.append(np.cumsum(table.ravel()) / table.sum())
        weight = streets.length * streets.lanes
        self._ends = [np.cumsum(weight[links]) / weight[links].sum() for links in zones.links]

    def rate(self, t: float) -> float:
        """Return trips a second that set out at `t`."""
        return sum(self._rates(t))

    def share_of_peak(self, t: float) -> float:
        """Return `rate` over that of a working morning at eight."""
        hour, weekday = local_time(t, self._zone)
        return sum(p.rate(hour, weekday) for p in PURPOSES) / sum(p.rate(8.0, 0) for p in PURPOSES)

    def trips(self, start: int, end: int) -> list[Trip]:
        """Return the trips that set out in the seconds start ≤ t < end."""
        found = []
        for second in range(start, end):
            chance = generator(self._seed, "trips", second)
            number = 0
            for table, rate in zip(self._tables, self._rates(second), strict=True):
                for _ in range(chance.poisson(rate)):
                    origin, destination = divmod(int(np.searchsorted(table, chance.random())), len(self._zones))
                    ends = self._link(origin, chance.random()), self._link(destination, chance.random())
                    if ends[0] != ends[1]:
                        found.append(Trip(f"{second}.{number}", second, *ends))
                        number += 1
        return found

    def destination(self, chance: np.random.Generator) -> int:
        """Return a row of Streets to which a trip of any kind may lead: for taxis and visits."""
        table = self._tables[int(chance.integers(len(PURPOSES)))]
        zone = int(np.searchsorted(table, chance.random())) % len(self._zones)
        return self._link(zone, chance.random())

    def _rates(self, t: float) -> list[float]:
        hour, weekday = local_time(t, self._zone)
        factor = self._residents * self.scale / 3600
        return [purpose.rate(hour, weekday) * factor for purpose in PURPOSES]

    def _link(self, zone: int, draw: float) -> int:
        return int(self._zones.links[zone][np.searchsorted(self._ends[zone], draw)])
