"""Building sites: how heavily each works at any time, and the dust it gives off."""

from __future__ import annotations

from datetime import tzinfo

import numpy as np

from cityops.twin.simulation.air import LocalSource
from cityops.twin.simulation.city import Site
from cityops.twin.simulation.emissions import site_dust
from cityops.twin.simulation.noise import OrnsteinUhlenbeck
from cityops.twin.simulation.timing import local_time
from cityops.twin.simulation.weather import Weather

HECTARES = 1.2
"""Ground of a site that does not say its own."""
_FROM, _TO = 6.5, 19.5  # hours of work


class Works:
    """One building site."""

    def __init__(self, site: Site, zone: tzinfo, seed: int) -> None:
        self.site = site
        self.area = float(str(site.attrs.get("hectares", HECTARES))) * 10_000  # m²
        self._zone = zone
        self._effort = OrnsteinUhlenbeck(2.5 * 3600, 0.22, seed, "works", site.id)

    def activity(self, t: float) -> float:
        """Return how heavily the site works at `t`: 0 idle .. 1 earthworks over all of it."""
        hour, weekday = local_time(t, self._zone)
        edge = float(np.clip(min(hour - _FROM, _TO - hour) / 0.5, 0.0, 1.0))  # people start and stop over half an hour
        lunch = 0.4 if 12.0 <= hour < 13.5 else 1.0
        sunday = 0.5 if weekday == 6 else 1.0
        return float(np.clip(0.22 + self._effort(t), 0.0, 1.0)) * edge * lunch * sunday

    def source(self, t: float, weather: Weather) -> LocalSource:
        """Return the site as a source of dust at `t`."""
        pm10 = site_dust(self.area, self.activity(t), weather.wind_speed, weather.precipitation)
        return LocalSource(self.site.x, self.site.y, float(np.sqrt(self.area)), pm10)
