"""Air and weather stations: a reading a minute, with the errors of their instruments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cityops.twin.simulation.air import SPECIES
from cityops.twin.simulation.chance import generator
from cityops.twin.simulation.city import Site
from cityops.twin.simulation.devices.observation import Observation, offset_of, point
from cityops.twin.simulation.timing import iso
from cityops.twin.simulation.weather import Weather

AIR, AIR_SOURCE, AIR_GATEWAY = "AirQualityObserved", "air-stations", "environment-air"
WEATHER, WEATHER_SOURCE, WEATHER_GATEWAY = "WeatherObserved", "weather-stations", "environment-weather"
PERIOD_S = 60
_RELATIVE_ERROR = 0.03  # repeatability of reference analysers (HJ 654-2013, HJ 653-2013 ask for 2-7 %)
_DIGITS = {"co": 2}


def due(sites: Sequence[Site], t: int) -> list[int]:
    """Return which of the sites speak in second `t`."""
    return [row for row, site in enumerate(sites) if (t - offset_of(site.id, PERIOD_S)) % PERIOD_S == 0]


def air_reading(site: Site, t: int, true: Mapping[str, float], weather: Weather, seed: int) -> Observation:
    """Return what an air station measures when the air holds `true` (SPECIES)."""
    error = generator(seed, "analyser", site.id, t).normal(1.0, _RELATIVE_ERROR, len(SPECIES))
    readings = {
        name: round(max(0.0, true[name] * float(factor)), _DIGITS.get(name, 1))
        for name, factor in zip(SPECIES, error, strict=True)
    }
    body = {"station_id": site.id, "observed_at": iso(t), **readings, **_beside(weather), **_where(site)}
    return Observation(AIR, AIR_SOURCE, AIR_GATEWAY, body)


def weather_reading(site: Site, t: int, weather: Weather, rain_last_hour: float, seed: int) -> Observation:
    """Return what a weather station measures; `rain_last_hour` in mm."""
    error = generator(seed, "thermometer", site.id, t).normal(0, 1, 4)
    body = {
        "station_id": site.id,
        "observed_at": iso(t),
        "temperature": round(weather.temperature + 0.1 * float(error[0]), 1),
        "relative_humidity": round(float(np.clip(weather.relative_humidity + 0.01 * error[1], 0, 1)), 2),
        "atmospheric_pressure": round(weather.atmospheric_pressure + 0.1 * float(error[2]), 1),
        "dew_point": round(weather.dew_point, 1),
        "precipitation": round(rain_last_hour, 1),
        "wind_speed": round(max(0.0, weather.wind_speed * (1 + 0.08 * float(error[3]))), 1),
        "wind_direction": round(weather.wind_direction) % 360,
        **_where(site),
    }
    return Observation(WEATHER, WEATHER_SOURCE, WEATHER_GATEWAY, body)


def _beside(weather: Weather) -> dict[str, object]:
    return {
        "temperature": round(weather.temperature, 1),
        "relative_humidity": round(weather.relative_humidity, 2),
        "atmospheric_pressure": round(weather.atmospheric_pressure, 1),
        "wind_speed": round(weather.wind_speed, 1),
        "wind_direction": round(weather.wind_direction) % 360,
    }


def _where(site: Site) -> dict[str, object]:
    return {"location": point(site.lon, site.lat)}
