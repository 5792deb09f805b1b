"""What the streets and building sites give off, gathered on the squares of a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

POLLUTANTS = ("nox", "co", "pm10", "pm25")
"""Rows of every emission array."""

FLEET_FACTOR = 1.6
"""Emissions of a mixed fleet (lorries, old cars) over those of the simulated new petrol cars."""

_DUST_PM10, _DUST_PM25 = 0.62, 0.15  # g/km, particle size multipliers of AP-42
_SITE_DUST = 2.69e6 / (30 * 86_400) / 4046.86  # g/s per m²: AP-42 13.2.3, 1.2 US tons per acre and month of activity
_SITE_PM10_SHARE = 0.3
_UNCONTROLLED = 0.12  # share left by watering (61-74 %) and covers (WRAP fugitive dust handbook 2006, ch. 3)
_WORKING_HOURS = 8.0 / 24.0  # AP-42's figure is an average over all hours of a month worked in about a third of them


def road_dust(silt_g_m2: float, weight_t: float = 1.6) -> tuple[float, float]:
    """Return grams of PM10 and PM2.5 stirred up by one vehicle on a kilometre of paved road.

    EPA AP-42 section 13.2.1 (2011), eq. 1: E = k sL^0.91 W^1.02; silt in g/m² of road, weight in (US) tons.
    """
    common = silt_g_m2**0.91 * (weight_t * 1.1023) ** 1.02
    return _DUST_PM10 * common, _DUST_PM25 * common


def site_dust(area_m2: float, activity: float, wind_speed: float, rain_mm_h: float) -> float:
    """Return PM10 in g/s from a building site working at `activity` (0 idle .. 1 heavy earthworks).

    EPA AP-42 section 13.2.3 gives the working site's rate, less what its own measures hold back; idle ground still
    gives a twentieth of it, wind raises it above 5 m/s (the square of the excess, after the threshold friction
    velocity of 13.2.5), rain binds it.
    """
    busy = 0.05 + 0.95 * activity / _WORKING_HOURS
    gusts = 1 + 0.25 * max(0.0, wind_speed - 5.0) ** 2
    return area_m2 * _SITE_DUST * _SITE_PM10_SHARE * _UNCONTROLLED * busy * gusts / (1 + 8 * rain_mm_h)


@dataclass(frozen=True)
class StreetSample:
    """What was on one link at one instant: vehicles, their mean speed (m/s), exhaust in mg/s (NOx, CO, PM)."""

    vehicles: int
    speed: float
    nox: float
    co: float
    pm: float


def street_emission(sample: StreetSample, silt_g_m2: float) -> Floats:
    """Return g/s by POLLUTANTS of a link: exhaust (HBEFA, from the traffic simulator) and road dust (AP-42)."""
    kilometres = sample.vehicles * max(0.0, sample.speed) / 1000  # driven each second
    pm10, pm25 = road_dust(silt_g_m2)
    exhaust = np.array([sample.nox, sample.co, sample.pm, sample.pm]) * FLEET_FACTOR / 1000
    return np.asarray(exhaust + np.array([0.0, 0.0, pm10, pm25]) * kilometres, np.float64)


class EmissionGrid:
    """Squares `width` m wide that cover a city; emissions of links are summed where the links' middles lie."""

    def __init__(self, x: Floats, y: Floats, width: float = 500.0) -> None:
        """Cover the links whose middles are at `x`, `y` (m)."""
        squares = np.column_stack((np.floor(x / width), np.floor(y / width))).astype(np.int64)
        used, self._cell = np.unique(squares, axis=0, return_inverse=True)
        self.width = width
        self.centres = np.asarray((used + 0.5) * width, np.float64)
        self._by_link = np.zeros((len(POLLUTANTS), len(x)))

    def set(self, link: int, emission: Floats) -> None:
        """Replace what link number `link` gives off: g/s by POLLUTANTS."""
        self._by_link[:, link] = emission

    @property
    def strength(self) -> Floats:
        """Emission of every square, g/s, shape (pollutants, squares)."""
        cells = len(self.centres)
        return np.stack([np.bincount(self._cell, row, minlength=cells) for row in self._by_link])
