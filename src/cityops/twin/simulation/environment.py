"""Air and weather over the city, and the stations that measure them."""

from __future__ import annotations

import numpy as np

from cityops.twin.simulation.air import Region, UrbanAir
from cityops.twin.simulation.city import SimulatedCity, Streets
from cityops.twin.simulation.devices import stations
from cityops.twin.simulation.devices.dust import DustMonitor
from cityops.twin.simulation.devices.observation import Observation
from cityops.twin.simulation.emissions import EmissionGrid, StreetSample, street_emission
from cityops.twin.simulation.weather import Climate, Weather
from cityops.twin.simulation.works import Works

UPDATE_S = 60
_SILT = {"motorway": 0.03, "trunk": 0.03, "primary": 0.06, "secondary": 0.1, "tertiary": 0.2}
_SMALL_STREET_SILT = 0.4
"""g of silt on a m² of road, less on busier ones: AP-42 table 13.2.1-2, by daily traffic."""


def silt_of(streets: Streets) -> list[float]:
    """Return the silt load (g/m²) of every link."""
    return [_SILT.get(str(kind).removesuffix("_link"), _SMALL_STREET_SILT) for kind in streets.highway]


class Environment:
    """Weather, emissions and air at any time; `silt` (g/m² by link) is what washing the streets lowers."""

    def __init__(self, city: SimulatedCity, seed: int) -> None:
        self._seed = seed
        self._climate = Climate(city.longitude, city.latitude, seed)
        self._air_stations = city.sites_of("air_station")
        self._weather_stations = city.sites_of("weather_station")
        self._works = [Works(site, city.zone, seed) for site in city.sites_of("construction_site")]
        self._monitors = [DustMonitor(works.site, seed) for works in self._works]
        places = [(site.x, site.y) for site in [*self._air_stations, *(works.site for works in self._works)]]
        self._air = UrbanAir(np.array(places, np.float64).reshape(-1, 2), Region(seed))
        self._region = Region(seed)
        self.streets = EmissionGrid(city.streets.x, city.streets.y)
        self.silt = silt_of(city.streets)
        self._updated: int | None = None
        self._weather: Weather | None = None

    def sampled(self, link: int, sample: StreetSample) -> None:
        """Take what is on a link (row of Streets) now."""
        self.streets.set(link, street_emission(sample, self.silt[link]))

    def observe(self, t: int) -> list[Observation]:
        """Bring the air up to `t` and return what the stations say in that second."""
        weather = self._weather_at(t)
        air, dry = stations.due(self._air_stations, t), stations.due(self._weather_stations, t)
        dusty = stations.due([monitor.site for monitor in self._monitors], t)
        found: list[Observation] = []
        if air or dusty:
            true = self._air.at(t, weather)
            region_pm10 = self._region.at(t, weather)["pm10"]
            found += [stations.air_reading(self._air_stations[row], t, true[row], weather, self._seed) for row in air]
            for row in dusty:
                found += self._monitors[row].read(t, true[len(self._air_stations) + row]["pm10"], region_pm10)
        if dry:
            rain = self._rain_last_hour(t)
            found += [
                stations.weather_reading(self._weather_stations[row], t, weather, rain, self._seed) for row in dry
            ]
        return found

    def _weather_at(self, t: int) -> Weather:
        if self._weather is None or self._updated is None or t - self._updated >= UPDATE_S:
            self._weather, self._updated = self._climate.at(t), t
            sites = [works.source(t, self._weather) for works in self._works]
            self._air.advance(t, self._weather, self.streets, sites)
        return self._weather

    def _rain_last_hour(self, t: int) -> float:
        return sum(self._climate.at(t - 300 * n).precipitation for n in range(12)) / 12
