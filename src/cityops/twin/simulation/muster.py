"""Which units a city has: counted by its people and its stations, each with the itinerary of its kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cityops.twin.simulation.chance import generator
from cityops.twin.simulation.city import Ints, SimulatedCity
from cityops.twin.simulation.demand import DETOUR, Demand
from cityops.twin.simulation.fleet import Unit
from cityops.twin.simulation.itineraries import bus, patrol, ready, sprinkler, taxi
from cityops.twin.simulation.timing import local_time

Now = Callable[[], float]

TAXI_SHARE = 0.08
"""Taxis on the road over all cars on the road."""
FEWEST_TAXIS = 30
CARS_PER_STATION, ENGINES_PER_STATION, AMBULANCES_PER_HOSPITAL = 2, 2, 2
PEOPLE_PER_BUS = 3000
PEOPLE_PER_SPRINKLER = 25_000
BUSES_PER_LINE = 8
URBAN_SPEED = 7.5
"""m/s door to door in a city that flows (27 km/h)."""

_LINKS_SERVED = 400  # nearest a station or hospital: where its calls come from
_BUS_HOURS = ((5.5, 22.5),)
_WASHING_HOURS = ((4.5, 7.0), (9.5, 16.5), (20.0, 23.0))
_BUS_STREETS = ("primary", "secondary", "tertiary")
_MAIN = ("trunk", "primary", "secondary")


def muster(city: SimulatedCity, demand: Demand, seed: int, now: Now, expected_cars: float) -> list[Unit]:
    """Return all units of the city; `expected_cars` is how many cars are on the road at the morning peak."""
    return [
        *_taxis(city, demand, seed, now, max(FEWEST_TAXIS, round(TAXI_SHARE * expected_cars))),
        *_buses(city, seed, now, max(4, round(city.population / PEOPLE_PER_BUS))),
        *_police(city, seed),
        *_fire(city, seed),
        *_ambulances(city, seed),
        *_sprinklers(city, seed, now, max(3, round(city.population / PEOPLE_PER_SPRINKLER))),
    ]


def expected_cars(city: SimulatedCity, demand: Demand, workday_morning: float) -> float:
    """Return how many cars are on the road at the peak: trips a second times their mean duration (Little's law)."""
    chance = generator(0, "expected cars")
    streets = city.streets
    ends = np.array([(demand.destination(chance), demand.destination(chance)) for _ in range(400)])
    way = np.hypot(*(streets.x[ends[:, 0]] - streets.x[ends[:, 1]], streets.y[ends[:, 0]] - streets.y[ends[:, 1]]))
    # Two independent ends lie farther apart than those of a trip, which people choose near: about one and a half times.
    return demand.rate(workday_morning) * float(way.mean()) / 1.5 * DETOUR / URBAN_SPEED


def _taxis(city: SimulatedCity, demand: Demand, seed: int, now: Now, count: int) -> list[Unit]:
    def one(number: int) -> Unit:
        chance = generator(seed, "taxi", number)
        # A seventh of the taxis works all night; the last joins at nine tenths of the morning peak.
        starts_at = max(0.0, number / count - 0.15)
        itinerary = taxi(lambda: demand.destination(chance), lambda: demand.share_of_peak(now()), starts_at, chance)
        return Unit(f"TAXI-{number + 1:04d}", "probe", itinerary, demand.destination(chance))

    return [one(number) for number in range(count)]


def _buses(city: SimulatedCity, seed: int, now: Now, count: int) -> list[Unit]:
    def in_service() -> bool:
        return _within(now(), city, _BUS_HOURS)

    units = []
    lines = max(1, round(count / BUSES_PER_LINE))
    for line in range(lines):
        chance = generator(seed, "bus line", line)
        terminals = _terminals(city, chance)
        first, last = ((float(city.streets.x[end]), float(city.streets.y[end])) for end in terminals)
        on_line = count // lines + (line < count % lines)
        for number in range(on_line):
            # Half of them on the way out, half on the way back, spread along the line as in the middle of a day.
            leg, share = number % 2, (number // 2 + 0.5) / max(1, (on_line + 1) // 2)
            along = share if leg == 0 else 1 - share
            x, y = (a + along * (b - a) for a, b in zip(first, last, strict=True))
            itinerary = bus(terminals, leg, in_service, layover_s=120.0, first_after_s=float(chance.uniform(0, 60)))
            name, start = f"BUS-{line + 1:02d}-{number + 1:02d}", int(city.streets.nearest(x, y, 1, _BUS_STREETS)[0])
            units.append(Unit(name, "bus", itinerary, start, moving_period=10))
    return units


def _terminals(city: SimulatedCity, chance: np.random.Generator) -> tuple[int, int]:
    zones = city.zones
    weight = zones.residents + zones.jobs
    first = int(chance.choice(len(zones), p=weight / weight.sum()))
    distance = np.hypot(zones.x - zones.x[first], zones.y - zones.y[first])
    fit = weight * np.exp(-0.5 * ((distance - max(5000.0, 0.6 * distance.max())) / 2500) ** 2) * (distance > 0)
    second = int(chance.choice(len(zones), p=fit / fit.sum())) if fit.sum() > 0 else (first + 1) % len(zones)
    ends = [city.streets.nearest(zones.x[zone], zones.y[zone], 1, _BUS_STREETS)[0] for zone in (first, second)]
    return int(ends[0]), int(ends[1])


def _police(city: SimulatedCity, seed: int) -> list[Unit]:
    units = []
    for station in city.sites_of("police_station"):
        home = int(city.streets.nearest(station.x, station.y)[0])
        beat = city.streets.nearest(station.x, station.y, 80, (*_MAIN, "tertiary"))
        for number in range(CARS_PER_STATION):
            chance = generator(seed, "patrol", station.id, number)
            units.append(Unit(f"{station.id}-{number + 1}", "police", patrol(beat.tolist(), home, chance), home))
    return units


def _fire(city: SimulatedCity, seed: int) -> list[Unit]:
    units = []
    for station in city.sites_of("fire_station"):
        home = int(city.streets.nearest(station.x, station.y)[0])
        near = city.streets.nearest(station.x, station.y, _LINKS_SERVED)
        for number in range(int(str(station.attrs.get("engines", ENGINES_PER_STATION)))):
            chance = generator(seed, "fire", station.id, number)
            itinerary = ready(home, _draw(near, chance), calls_a_day=1.2, on_scene_s=2400, then=(), chance=chance)
            units.append(Unit(f"{station.id}-{number + 1}", "fire", itinerary, home))
    return units


def _ambulances(city: SimulatedCity, seed: int) -> list[Unit]:
    units = []
    for hospital in city.sites_of("hospital"):
        home = int(city.streets.nearest(hospital.x, hospital.y)[0])
        near = city.streets.nearest(hospital.x, hospital.y, _LINKS_SERVED)
        for number in range(AMBULANCES_PER_HOSPITAL):
            chance = generator(seed, "ambulance", hospital.id, number)
            itinerary = ready(home, _draw(near, chance), calls_a_day=7.0, on_scene_s=900, then=(home,), chance=chance)
            units.append(Unit(f"AMB-{hospital.id}-{number + 1}", "ambulance", itinerary, home))
    return units


def _sprinklers(city: SimulatedCity, seed: int, now: Now, count: int) -> list[Unit]:
    streets = city.streets
    main = np.flatnonzero(streets.usable & np.isin(streets.highway, _MAIN) & (streets.length > 60))
    main = main if main.size >= count else np.flatnonzero(streets.usable)
    # Each lorry washes one sector of the city, its streets in the order in which one comes upon them outwards.
    angle = np.arctan2(streets.y[main] - streets.y[main].mean(), streets.x[main] - streets.x[main].mean())
    sectors = np.array_split(main[np.argsort(angle, kind="stable")], count)
    units = []
    for number, sector in enumerate(sectors):
        chance = generator(seed, "sprinkler", number)
        streets_of_day = chance.choice(sector, min(24, len(sector)), replace=False)
        far = np.hypot(streets.x[streets_of_day], streets.y[streets_of_day])
        tour = streets_of_day[np.argsort(far)].tolist()
        itinerary = sprinkler(tour, tour[0], lambda: _within(now(), city, _WASHING_HOURS))
        units.append(Unit(f"SPR-{number + 1:02d}", "sprinkler", itinerary, tour[0]))
    return units


def _draw(links: Ints, chance: np.random.Generator) -> Callable[[], int]:
    return lambda: int(chance.choice(links))


def _within(t: float, city: SimulatedCity, spans: Sequence[tuple[float, float]]) -> bool:
    hour, _ = local_time(t, city.zone)
    return any(begin <= hour < end for begin, end in spans)
