"""Air stations: what each measured over the last hour, as the hourly report of HJ 633-2026 wants it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import pyarrow as pa

from cityops.apps.environment.aqi import POLLUTANTS, AirQuality, Pollutant, hourly
from cityops.apps.panels import Text
from cityops.technology.geo.basemap import Basemap

HOUR_S: Final = 3600.0

Means = dict[Pollutant, float | None]


@dataclass
class Station:
    """One station: its rows of the last hour (end of averaging time in epoch s, concentrations), oldest first."""

    id: str
    name: Text
    district_id: str
    lon: float
    lat: float
    rows: deque[tuple[float, Means]] = field(default_factory=deque)

    @property
    def observed_at(self) -> float:
        """Time of the newest row (epoch s)."""
        return self.rows[-1][0]

    def take(self, at: float, values: Means) -> bool:
        """Add a row; one not newer than the newest is no news and False is returned."""
        if self.rows and at <= self.observed_at:
            return False
        self.rows.append((at, values))
        while self.rows[0][0] <= at - HOUR_S:
            self.rows.popleft()
        return True

    def means(self) -> Means:
        """Return the mean of every pollutant over the hour that ends with the newest row.

        A station that sends hourly means has one row there: the mean itself.
        """
        means: Means = {}
        for pollutant in POLLUTANTS:
            values = [v for _, row in self.rows if (v := row.get(pollutant)) is not None]
            means[pollutant] = sum(values) / len(values) if values else None
        return means

    def quality(self) -> AirQuality | None:
        """Return the hourly report, None without any concentration."""
        return hourly(self.means())


class Stations:
    """All stations that have reported."""

    def __init__(self, city: Basemap) -> None:
        self._city = city
        self.by_id: dict[str, Station] = {}

    def receive(self, rows: pa.Table) -> list[Station]:
        """Take rows of AirQualityObserved, any number a station; return the stations that have news."""
        news: dict[str, Station] = {}
        for row in rows.sort_by("observed_at").to_pylist():
            station = self.by_id.get(row["station_id"]) or self._introduce(row)
            if station is None:
                continue
            observed_at: datetime = row["observed_at"]
            if station.take(observed_at.timestamp(), {p: row[p] for p in POLLUTANTS}):
                news[station.id] = station
        return list(news.values())

    def _introduce(self, row: dict[str, Any]) -> Station | None:
        """Return a new station, named by the city's plan or by its own id; None when nobody knows where it is."""
        station_id: str = row["station_id"]
        city = self._city
        place = city.place_index.get(station_id)
        if place is not None:
            known = city.places.slice(place, 1).to_pylist()[0]
            name = Text(known["name_zh"], known["name_en"])
            station = Station(station_id, name, known["district_id"], known["lon"], known["lat"])
        elif row["longitude"] is not None and row["latitude"] is not None:
            at = int(city.districts_at(row["longitude"], row["latitude"])[0])
            district = city.districts["district_id"][at].as_py() if at >= 0 else ""
            name = Text(station_id, station_id)
            station = Station(station_id, name, district, row["longitude"], row["latitude"])
        else:
            return None
        self.by_id[station_id] = station
        return station
