"""The city's weather: seasons, days and fronts as a function of time, place and seed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cityops.twin.simulation.noise import OrnsteinUhlenbeck
from cityops.twin.simulation.timing import DAY_S

_YEAR_S = 365.2425 * DAY_S
_HOUR_S = 3600.0
_RAIN_STARTS = 1.15  # standard deviations of moisture above which it rains: about one hour in eight


@dataclass(frozen=True)
class Weather:
    """The air over the city at one instant. Wind direction is where the wind comes from, degrees clockwise of north."""

    temperature: float  # °C
    dew_point: float  # °C
    relative_humidity: float  # 0..1
    atmospheric_pressure: float  # hPa
    wind_speed: float  # m/s at 10 m
    wind_direction: float  # degrees
    precipitation: float  # mm/h
    cloud: float  # 0..1
    sun_elevation: float  # degrees, negative at night

    @property
    def wind_vector(self) -> tuple[float, float]:
        """Where the air goes: metres a second towards east and north."""
        angle = np.radians(self.wind_direction)
        return float(-self.wind_speed * np.sin(angle)), float(-self.wind_speed * np.cos(angle))


class Climate:
    """Weather at one place for any time; the same seed gives the same weather."""

    def __init__(self, longitude: float, latitude: float, seed: int) -> None:
        self._longitude, self._latitude = longitude, latitude
        # Yearly mean and half-range by latitude, fitted to Guangzhou, Wuhan, Beijing and Helsinki (1991-2020 normals).
        self._mean = 32.0 - 0.45 * abs(latitude)
        self._seasonal = min(0.42 * abs(latitude), 13.0)
        self._front = OrnsteinUhlenbeck(60 * _HOUR_S, 2.6, seed, "temperature")
        self._dryness = OrnsteinUhlenbeck(30 * _HOUR_S, 1.0, seed, "dryness")
        self._moisture = OrnsteinUhlenbeck(9 * _HOUR_S, 1.0, seed, "moisture")
        self._pressure = OrnsteinUhlenbeck(70 * _HOUR_S, 5.0, seed, "pressure")
        self._east = OrnsteinUhlenbeck(8 * _HOUR_S, 1.7, seed, "wind east")
        self._north = OrnsteinUhlenbeck(8 * _HOUR_S, 1.7, seed, "wind north")

    def at(self, t: float) -> Weather:
        """Return the weather at `t`, seconds since the epoch."""
        season = self._season(t)
        sun = sun_elevation(t, self._longitude, self._latitude)
        moisture = self._moisture(t)
        cloud = float(np.clip(0.45 + 0.3 * moisture, 0.0, 1.0))
        solar_hour = ((t % DAY_S) / _HOUR_S + self._longitude / 15) % 24
        daily = 4.6 * (1 - 0.6 * cloud) * math.cos(2 * np.pi * (solar_hour - 15) / 24)  # warmest at three, solar time
        temperature = self._mean + self._seasonal * season + self._front(t) + daily
        depression = max(0.3, (6.0 + 3.0 * self._dryness(t)) * (1 - 0.5 * cloud) + 0.7 * (daily + 4.6))
        rain = 3.0 * max(0.0, moisture - _RAIN_STARTS) ** 1.5 * (1 + 0.6 * season)
        if rain:
            depression = min(depression, 1.5)
        east, north = self._wind(t, season, solar_hour)
        return Weather(
            temperature=temperature,
            dew_point=temperature - depression,
            relative_humidity=relative_humidity(temperature, temperature - depression),
            atmospheric_pressure=1014.0 - 9.0 * season + self._pressure(t) - 4.0 * max(0.0, moisture),
            wind_speed=max(0.3, float(np.hypot(east, north))),
            wind_direction=float(np.degrees(np.arctan2(-east, -north)) % 360),
            precipitation=rain,
            cloud=cloud,
            sun_elevation=sun,
        )

    def _season(self, t: float) -> float:
        """Return +1 in the hottest days of the year and -1 in the coldest (late July and late January in the north)."""
        wave = float(np.cos(2 * np.pi * (t % _YEAR_S - 203 * DAY_S) / _YEAR_S))
        return wave if self._latitude >= 0 else -wave

    def _wind(self, t: float, season: float, solar_hour: float) -> tuple[float, float]:
        """Return metres a second towards east and north: monsoon, fronts, and the day's mixing (strongest at three)."""
        mixing = 1.0 + 0.35 * math.cos(2 * np.pi * (solar_hour - 15) / 24)
        return (self._east(t) - 0.4 * season) * mixing, (self._north(t) + 1.2 * season) * mixing


def relative_humidity(temperature: float, dew_point: float) -> float:
    """Return relative humidity 0..1 by Magnus's formula (Alduchov & Eskridge 1996; °C)."""

    def vapour_pressure(celsius: float) -> float:
        return float(np.exp(17.625 * celsius / (243.04 + celsius)))

    return min(1.0, vapour_pressure(dew_point) / vapour_pressure(temperature))


def sun_elevation(t: float, longitude: float, latitude: float) -> float:
    """Return the sun's elevation in degrees (Cooper 1969's declination, no equation of time: within 4°)."""
    day = (t % _YEAR_S) / DAY_S
    declination = np.radians(23.45 * np.sin(2 * np.pi * (284 + day) / 365.2425))
    hour_angle = np.radians(((t % DAY_S) / _HOUR_S + longitude / 15 - 12) * 15)
    phi = np.radians(latitude)
    sine = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(hour_angle)
    return float(np.degrees(np.arcsin(np.clip(sine, -1, 1))))
