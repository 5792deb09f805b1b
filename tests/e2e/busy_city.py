"""A town's rush hour as its devices would report it: congestion around three places, alerts, stations, vehicles."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from cityops.technology.geo.basemap import Basemap

VEHICLES, PATROLS = 300, 12
REPORTING = 60
"""Detectors that report in one second."""
HOT_SPOTS = ((-0.004, 0.006, 0.005), (0.008, 0.001, 0.006), (0.002, -0.012, 0.004))
"""East, north and radius in degrees from the centre."""
ALERTS = (("I", "化工园区储罐泄漏"), ("II", "滨江路路面塌陷"), ("III", "环线多车追尾"), ("IV", "变电站负载 92%"))

Rows = list[dict[str, Any]]


def ago(seconds: float = 0.0) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def point(lon: float, lat: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [round(float(lon), 6), round(float(lat), 6)]}


@dataclass
class BusyCity:
    """Rows by contract; the same seed says the same."""

    basemap: Basemap
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(2))
    _detectors: Rows = field(default_factory=list)
    _turn: int = 0

    @classmethod
    def open(cls, folder: Path) -> BusyCity:
        return cls(Basemap.open(folder))

    def everything(self) -> dict[str, Rows]:
        """Return one observation of every device."""
        return {
            "TrafficFlowObserved": [self._flow(detector) for detector in self.detectors],
            "AirQualityObserved": self._air(),
            "WeatherObserved": self._weather(),
            "UnitPosition": self._units(),
            "Alert": self._alerts(),
        }

    def next_second(self) -> dict[str, Rows]:
        """Return what comes in during one second: moves of all vehicles, reports of some detectors."""
        self._turn += 1
        first = self._turn * REPORTING % len(self.detectors)
        return {
            "UnitPosition": self._units(),
            "TrafficFlowObserved": [self._flow(one) for one in self.detectors[first : first + REPORTING]],
        }

    @property
    def detectors(self) -> Rows:
        if not self._detectors:
            self._detectors = self.basemap.places_of("detector").to_pylist()
        return self._detectors

    def _flow(self, detector: dict[str, Any]) -> dict[str, Any]:
        free = float(self.basemap.links["free_speed_kmh"][self.basemap.link_index[detector["link_id"]]].as_py())
        east, north = np.subtract((detector["lon"], detector["lat"]), self.basemap.city.center)
        heat = sum(np.exp(-((east - x) ** 2 + (north - y) ** 2) / radius**2) for x, y, radius in HOT_SPOTS)
        speed = free * max(0.12, 0.92 - 0.95 * float(heat)) * self.random.uniform(0.8, 1.0)
        return {
            "detector_id": detector["place_id"],
            "observed_at": ago(),
            "road_segment_id": detector["link_id"],
            "intensity": int(self.random.integers(200, 1400)),
            "occupancy": round(min(0.9, 0.1 + 0.7 * float(heat)), 3),
            "average_vehicle_speed": round(min(speed, free), 1),
            "location": point(detector["lon"], detector["lat"]),
        }

    def _air(self) -> Rows:
        rows = []
        for station in self.basemap.places_of("air_station").to_pylist():
            fine = float(self.random.uniform(20, 90))
            measured = {"pm25": fine, "pm10": fine * 1.6, "so2": 8.0, "no2": 31.0, "o3": 88.0, "co": 0.7}
            where = point(station["lon"], station["lat"])
            rows.append({"station_id": station["place_id"], "observed_at": ago(30), **measured, "location": where})
        return rows

    def _weather(self) -> Rows:
        station = self.basemap.places_of("weather_station").to_pylist()[0]
        seen = {"temperature": 11.2, "wind_speed": 4.1, "wind_direction": 45.0, "precipitation": 0.4}
        where = point(station["lon"], station["lat"])
        return [{"station_id": station["place_id"], "observed_at": ago(60), **seen, "location": where}]

    def _units(self) -> Rows:
        links = self.basemap.link_midpoints
        steps = (np.arange(VEHICLES + PATROLS) * 37 + self._turn) % len(links)
        kinds = ["probe"] * VEHICLES + ["police", "fire", "ambulance"] * (PATROLS // 3)
        return [
            {
                "unit_id": f"{kind[:2].upper()}{n:04d}",
                "observed_at": ago(),
                "kind": kind,
                "speed": float(self.random.integers(0, 60)),
                "heading": float(self.random.integers(0, 360)),
                "location": point(*links[link]),
            }
            for n, (kind, link) in enumerate(zip(kinds, steps, strict=True))
        ]

    def _alerts(self) -> Rows:
        lon, lat = self.basemap.city.center
        places = [*HOT_SPOTS, (-0.014, -0.003, 0.0)]
        return [
            {
                "alert_id": f"E2E-{n}",
                "observed_at": ago(60 * (3 + 7 * n)),
                "category": "security",
                "severity": level,
                "alert_source": "e2e",
                "status": "open",
                "description": words,
                "location": point(lon + x, lat + y),
            }
            for n, ((level, words), (x, y, _)) in enumerate(zip(ALERTS, places, strict=True))
        ]
