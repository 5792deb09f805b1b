"""One simulated city: traffic, air and every device in it, moved on second by second."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cityops.twin.simulation.chance import generator
from cityops.twin.simulation.city import SimulatedCity, Site
from cityops.twin.simulation.demand import Demand
from cityops.twin.simulation.devices.cabinets import cabinets
from cityops.twin.simulation.devices.cameras import LOOKS_EVERY_S, Camera
from cityops.twin.simulation.devices.detectors import SLICE_S, Detectors, chosen
from cityops.twin.simulation.devices.observation import Observation, offset_of
from cityops.twin.simulation.devices.radios import positions
from cityops.twin.simulation.devices.signals import Signals, spread
from cityops.twin.simulation.en_route import en_route
from cityops.twin.simulation.environment import Environment
from cityops.twin.simulation.fleet import Fleet
from cityops.twin.simulation.incidents import PER_MILLION_AND_DAY, Incident, incidents_of, likely_links
from cityops.twin.simulation.muster import URBAN_SPEED, expected_cars, muster
from cityops.twin.simulation.timing import DAY_S, midnight_before
from cityops.twin.simulation.traffic import Traffic

SITES_PER_CABINET = 40
MOST_CABINETS = 36
DETECTORS_PER_PERSON = 1 / 150
MOST_SIGNALS = 75
"""Bounds on what reports, so that a city of 300,000 sends some hundred messages a second, signals at most twenty."""

PEAK_DENSITY = 16.0
"""Vehicles on a lane and kilometre, over all streets, that a city bears before it locks (seen in SUMO networks)."""
_SMALL_STREETS_BEAR = 0.35
_SMALL_STREETS = ("residential", "service", "living_street", "unclassified")
_MEMORY_OF_TRIPS_S = 3600
_SAMPLED_IN_S = 120
_MONDAY = 4 * DAY_S  # 1970-01-05


class World:
    """A city from `begin` on (whole seconds since the epoch, a multiple of five)."""

    def __init__(self, city: SimulatedCity, begin: int, seed: int) -> None:
        """Raises TrafficError when SUMO does not start."""
        self.city, self._seed = city, seed
        self.now = begin
        self.demand = fitting_demand(city, seed)
        self._capacity = capacity(city)
        detectors, signals, cameras = self._reporting(city)
        sites = [*detectors, *signals, *cameras]
        gateways = dict(zip((site.id for site in sites), cabinets(sites, _cabinet_count(len(sites))), strict=True))
        names = {site.id for site in detectors}
        loops = [loop for loop in city.loops if loop.id.rpartition("_")[0] in names]
        self._detectors = Detectors(detectors, loops, gateways)
        self._signals = Signals(signals, gateways)
        index = city.streets.index
        self._cameras = [
            (Camera(site, gateways[site.id], int(city.streets.lanes[index[site.link]])), index[site.link])
            for site in cameras
        ]
        self.environment = Environment(city, seed)
        cars = expected_cars(city, self.demand, _working_morning(city))
        self.fleet = Fleet(muster(city, self.demand, seed, lambda: self.now, cars))
        self._likely = likely_links(city.streets, np.array([link for _, link in self._cameras], np.int64))
        self._day, self._incidents, self._blocked = 0.0, list[Incident](), set[str]()
        self._putting_off = generator(seed, "putting off", begin)
        self.vehicles = 0  # on the streets, counted every few seconds
        self._driven = [int(row) for row in np.flatnonzero(city.streets.usable)]
        midnight = int(midnight_before(begin, city.zone))
        self.traffic = Traffic(city, loops, self._signals.controllers, begin=begin, midnight=midnight, seed=seed)

    def populate(self) -> None:
        """Fill the streets with the cars that are on their way at this time of day, and the air with what they emit."""
        city = self.city
        earlier = self.demand.trips(self.now - _MEMORY_OF_TRIPS_S, self.now)
        self.traffic.add_en_route(en_route(earlier, self.now, city.streets, city.zones, URBAN_SPEED, self._seed))
        self.step()
        for link in self._driven:
            self.environment.sampled(link, self.traffic.sample(link))

    def step(self) -> list[Observation]:
        """Go on by one second and return what the devices say in it. Raises TrafficError."""
        self._set_out()
        self._have_incidents()
        ended = self.traffic.step()
        self.now = t = self.traffic.now
        self.fleet.advance(t, self.traffic, ended)
        self._sample_emissions(t)
        found = positions(t, self.fleet.reports(t, self.traffic), self.city.plane, generator(self._seed, "gps", t))
        found += self._signals.changes(t, self.traffic.signals())
        if t % SLICE_S == 0 and (counts := self.traffic.loop_counts()):
            self._detectors.record(t, counts)
            found += self._detectors.reports()
        found += self.environment.observe(t)
        found += self._look(t)
        return found

    def state(self) -> Mapping[str, float]:
        """Return figures for the log: vehicles on the streets, teleports so far, units under way by kind."""
        return {"vehicles": self.vehicles, "teleports": self.traffic.teleports, **self.fleet.counts()}

    def close(self) -> None:
        """End the traffic simulation."""
        self.traffic.close()

    def _set_out(self) -> None:
        trips = self.demand.trips(self.now, self.now + 1)
        if self.now % 5 == 0:
            self.vehicles = self.traffic.vehicles
        if self.vehicles > self._capacity:  # people see the jam on their phones and put the trip off
            trips = [trip for trip in trips if self._putting_off.random() < 0.25]
        self.traffic.add(trips)

    def _have_incidents(self) -> None:
        today = midnight_before(self.now, self.city.zone)
        if today != self._day:
            self._day = today
            per_day = PER_MILLION_AND_DAY * self.city.population / 1e6
            self._incidents = [
                incident
                for day in (midnight_before(today - 1, self.city.zone), today)
                for incident in incidents_of(day, self.demand, self.city.streets, self._likely, self._seed, per_day)
            ]
        for incident in self._incidents:
            if incident.is_on(self.now) and incident.id not in self._blocked:
                self._blocked.add(incident.id)
                self.traffic.block(incident)
            elif not incident.is_on(self.now) and incident.id in self._blocked:
                self._blocked.discard(incident.id)
                self.traffic.clear(incident.id)

    def _sample_emissions(self, t: int) -> None:
        for link in self._driven[t % _SAMPLED_IN_S :: _SAMPLED_IN_S]:
            self.environment.sampled(link, self.traffic.sample(link))

    def _look(self, t: int) -> list[Observation]:
        found: list[Observation] = []
        on = [incident for incident in self._incidents if incident.is_on(t)]
        for camera, link in self._cameras:
            if (t - offset_of(camera.site.id, LOOKS_EVERY_S)) % LOOKS_EVERY_S == 0:
                found += camera.look_for_accidents(t, [incident for incident in on if incident.link == link])
                found += camera.look_for_queues(t, self.traffic.view(link))
        return found

    def _reporting(self, city: SimulatedCity) -> tuple[list[Site], list[Site], list[Site]]:
        streets = city.streets
        highway = {str(streets.ids[row]): str(streets.highway[row]) for row in np.flatnonzero(streets.usable)}
        most = max(100, round(city.population * DETECTORS_PER_PERSON))
        detectors = chosen([site for site in city.sites_of("detector") if site.link in highway], highway, most)
        signals = spread(city.sites_of("signal"), MOST_SIGNALS)
        cameras = [site for site in city.sites_of("camera") if site.link in highway]
        return detectors, signals, cameras


def capacity(city: SimulatedCity) -> float:
    """Return how many vehicles the city's streets bear before they lock."""
    streets = city.streets
    bears = np.where(np.isin(streets.highway, _SMALL_STREETS), _SMALL_STREETS_BEAR, 1.0) * streets.usable
    return float((streets.length * streets.lanes * bears).sum() / 1000 * PEAK_DENSITY)


def fitting_demand(city: SimulatedCity, seed: int) -> Demand:
    """Return the demand of the city's people; less of it where the streets could not carry it (a clipped map)."""
    demand = Demand(city.zones, city.streets, city.zone, seed)
    cars = expected_cars(city, demand, _working_morning(city))
    demand.scale = min(1.0, 0.8 * capacity(city) / max(cars, 1.0))
    return demand


def _working_morning(city: SimulatedCity) -> float:
    return midnight_before(_MONDAY + DAY_S // 2, city.zone) + 8 * 3600


def _cabinet_count(sites: int) -> int:
    return min(MOST_CABINETS, max(1, sites // SITES_PER_CABINET))
