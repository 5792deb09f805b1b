"""The air people breathe at a point: what comes from the region, and what the city adds to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from cityops.twin.simulation.dispersion import Mixing, mixing_height, stability, transfer
from cityops.twin.simulation.emissions import POLLUTANTS, EmissionGrid
from cityops.twin.simulation.noise import OrnsteinUhlenbeck
from cityops.twin.simulation.weather import Weather

Floats = npt.NDArray[np.float64]

SPECIES = ("pm25", "pm10", "so2", "no2", "o3", "co")
"""What a station measures: µg/m³, carbon monoxide in mg/m³."""

_HOUR_S = 3600.0
_YEAR_S = 365.2425 * 86_400
_MEMORY_S = 900.0  # air over a street takes minutes to be replaced: concentrations follow emissions with this delay
_PRIMARY_NO2 = 0.2  # share of NOx that leaves the tailpipe as NO2
_FINE_SHARE = 0.1  # of building dust: Midwest Research Institute 2006, the ratio AP-42 took over
_OZONE_PER_NO2 = 48.0 / 46.0  # grams of ozone used up when NO turns into a gram of NO2


class Region:
    """Concentrations that blow in from outside: seasons, days, hazy spells; a function of time and weather."""

    def __init__(self, seed: int) -> None:
        self._haze = OrnsteinUhlenbeck(48 * _HOUR_S, 0.42, seed, "haze")
        self._coarse = OrnsteinUhlenbeck(20 * _HOUR_S, 0.18, seed, "coarse dust")
        self._sulphur = OrnsteinUhlenbeck(30 * _HOUR_S, 0.25, seed, "sulphur")
        self._ozone = OrnsteinUhlenbeck(36 * _HOUR_S, 0.22, seed, "ozone")

    def at(self, t: float, weather: Weather) -> dict[str, float]:
        """Return SPECIES at `t`."""
        winter = 0.5 + 0.5 * float(np.cos(2 * np.pi * (t % _YEAR_S - 15 * 86_400) / _YEAR_S))
        shallow = (500 / mixing_height(weather.sun_elevation, weather.wind_speed)) ** 0.25
        washed = 1 / (1 + 0.35 * weather.precipitation)
        aired = (2.5 / max(weather.wind_speed, 0.8)) ** 0.25
        haze = float(np.exp(self._haze(t))) * washed * aired * shallow
        pm25 = (15 + 24 * winter) * haze
        light = max(0.0, float(np.sin(np.radians(weather.sun_elevation)))) * (1 - 0.6 * weather.cloud)
        warmth = float(np.clip((weather.temperature + 5) / 30, 0.1, 1.3))
        return {
            "pm25": pm25,
            "pm10": pm25 * 1.35 + 10 * float(np.exp(self._coarse(t))) * washed,
            "so2": (4 + 5 * winter) * float(np.exp(self._sulphur(t))) * aired * shallow,
            "no2": (8 + 8 * winter) * haze**0.5,
            "o3": (38 + 125 * light * warmth) * float(np.exp(self._ozone(t))),
            "co": (0.35 + 0.25 * winter) * haze**0.6,
        }


@dataclass(frozen=True)
class LocalSource:
    """A source that is not a street: a building site. Metres east and north, width in m, PM10 in g/s."""

    x: float
    y: float
    width: float
    pm10: float


class UrbanAir:
    """Concentrations at fixed receptors: region + plumes of streets and sites, followed through time."""

    def __init__(self, receptors: Floats, region: Region) -> None:
        """Follow the air at `receptors`, metres east and north, shape (n, 2)."""
        self._receptors = receptors
        self._region = region
        self._added = np.zeros((len(POLLUTANTS), len(receptors)))
        self._last: float | None = None

    def advance(self, t: float, weather: Weather, streets: EmissionGrid, sites: list[LocalSource]) -> None:
        """Bring what the city adds up to `t` under this weather and these sources."""
        mixing = Mixing(
            weather.wind_vector,
            stability(weather.wind_speed, weather.sun_elevation, weather.cloud),
            mixing_height(weather.sun_elevation, weather.wind_speed),
        )
        added = streets.strength @ transfer(self._receptors, streets.centres, mixing, streets.width).T * 1e6
        for site in sites:
            reach = transfer(self._receptors, np.array([[site.x, site.y]]), mixing, site.width)[:, 0] * 1e6
            added[POLLUTANTS.index("pm10")] += reach * site.pm10
            added[POLLUTANTS.index("pm25")] += reach * site.pm10 * _FINE_SHARE
        keep = 0.0 if self._last is None else float(np.exp(-max(0.0, t - self._last) / _MEMORY_S))
        self._added = keep * self._added + (1 - keep) * added
        self._last = t

    def at(self, t: float, weather: Weather) -> list[Mapping[str, float]]:
        """Return SPECIES at every receptor at `t`, without the instruments' errors."""
        outside = self._region.at(t, weather)
        return [MappingProxyType(mix(outside, *column)) for column in self._added.T]


def mix(outside: Mapping[str, float], nox: float, co: float, pm10: float, pm25: float) -> dict[str, float]:
    """Return SPECIES when the city adds these µg/m³ to the air `outside`; fresh NO eats ozone and becomes NO2."""
    fresh_no2 = _PRIMARY_NO2 * nox
    turned = min((1 - _PRIMARY_NO2) * nox * 0.6, 0.7 * outside["o3"] / _OZONE_PER_NO2)
    return {
        "pm25": outside["pm25"] + pm25,
        "pm10": outside["pm10"] + max(pm10, pm25),
        "so2": outside["so2"] + 0.01 * nox,
        "no2": outside["no2"] + fresh_no2 + turned,
        "o3": outside["o3"] - turned * _OZONE_PER_NO2,
        "co": outside["co"] + co / 1000,
    }
