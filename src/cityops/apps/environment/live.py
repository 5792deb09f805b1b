"""The environment app's live part: air quality at the stations, between them, by district and in the city."""

# ruff: noqa: S608  # names are constants here, values are bound
from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from cityops.apps.environment.app import AirEvent, StationRow
from cityops.apps.environment.aqi import POLLUTANT_NAMES, POLLUTANTS, AirQuality, Pollutant, hourly, level, level_name
from cityops.apps.environment.stations import HOUR_S, Station, Stations
from cityops.apps.environment.surface import MIN_STATIONS, Grid, interpolate, picture
from cityops.apps.live import Live, MapImage, Notice, Questions
from cityops.apps.panels import Bar, Bars, Kpi, PanelData, Reference, Severity, Text
from cityops.data.contract import DATABASE, Contract
from cityops.data.live.table import Change, LiveTable
from cityops.technology.geo.basemap import Basemap

IMAGE_EVERY_S: Final = 10.0
POLLUTED: Final = Reference(100, Text("轻度污染", "Polluted"))
"""Above 100 the air is polluted (HJ 633-2026, level III and worse)."""

_SEVERITIES: Final[Mapping[int, Severity]] = {3: 3, 4: 2, 5: 1, 6: 1}

_LAST_HOUR: Final = f"""
SELECT station_id, observed_at, {", ".join(POLLUTANTS)}, longitude, latitude
FROM {DATABASE}.air_quality_observed
WHERE observed_at >= fromUnixTimestamp({{since:Int64}})"""

_YESTERDAY: Final = f"""
SELECT {", ".join(f"sum({p}_sum) / sum({p}_n) AS {p}" for p in POLLUTANTS)}
FROM {DATABASE}.air_quality_observed_1h
WHERE observed_at = fromUnixTimestamp({{hour:Int64}})"""


class EnvironmentLive(Live):
    """State of the air; times are epoch seconds unless they say ms."""

    first_kpi = 100

    def __init__(self, city: Basemap | None, contracts: Mapping[str, Contract]) -> None:
        super().__init__(city, contracts)
        city = self.city
        self._fresh_s = contracts["AirQualityObserved"].freshness.total_seconds()
        self._stations = Stations(city)
        self._quality: dict[str, AirQuality] = {}
        self._changed: dict[str, Station] = {}
        self._stale: set[str] = set()
        self._grid = Grid.over(city.city.bounds)
        self._image: MapImage | None = None
        self._drawn: tuple[tuple[str, int], ...] = ()
        self._yesterday: AirQuality | None = None
        self._city_level: int | None = None

    def receive(self, table: LiveTable, change: Change) -> None:
        """Take rows of air stations."""
        for station in self._stations.receive(table.rows(change.rows)):
            self._changed[station.id] = station
            quality = station.quality()
            if quality is None:
                self._quality.pop(station.id, None)
            else:
                self._quality[station.id] = quality

    async def remember(self, warehouse: Questions, now: float) -> None:
        """Bring the rows of the last hour (whatever came live stays), and the city's air at this hour yesterday."""
        if not any(len(station.rows) > 1 for station in self._stations.by_id.values()):
            hour = await warehouse.query(_LAST_HOUR, {"since": int(now - HOUR_S - self._fresh_s)})
            fresh = Stations(self.city)
            fresh.receive(hour)
            for station in fresh.by_id.values():
                known = self._stations.by_id.get(station.id)
                for at, values in known.rows if known else ():
                    station.take(at, values)
                self._stations.by_id[station.id] = station
                self._changed[station.id] = station
                if (quality := station.quality()) is not None:
                    self._quality[station.id] = quality
        this_hour = int(now // HOUR_S * HOUR_S)
        answer = await warehouse.query(_YESTERDAY, {"hour": this_hour - 24 * int(HOUR_S)})
        self._yesterday = hourly(_means(answer)) if len(answer) else None

    def changes(self, topic: str, now: float) -> object | None:
        """Return the stations with news or gone stale."""
        if topic != "air":
            raise KeyError(topic)
        stale = {s.id for s in self._stations.by_id.values() if self._is_stale(s, now)}
        for station_id in stale ^ self._stale:
            self._changed[station_id] = self._stations.by_id[station_id]
        self._stale = stale
        redrawn = self._draw(now)
        if not self._changed and not redrawn:
            return None
        changed, self._changed = self._changed, {}
        return self._event(changed.values(), now)

    def snapshot(self, topic: str, now: float) -> object | None:
        """Return all stations."""
        if topic != "air":
            raise KeyError(topic)
        return self._event(self._stations.by_id.values(), now)

    def panel(self, panel: str, now: float) -> PanelData | None:
        """Return the districts, worst air first."""
        if panel != "air":
            raise KeyError(panel)
        groups: dict[str, list[Station]] = defaultdict(list)
        for station in self._stations.by_id.values():
            groups[station.district_id].append(station)
        bars = [bar for district in groups if (bar := self._bar(district, groups[district], now)) is not None]
        if not bars:
            return None
        bars.sort(key=lambda bar: -(bar.value or 0))
        longest = max(bar.value or 0 for bar in bars)
        return Bars(Text("AQI", "AQI"), bars, max(120.0, math.ceil(longest / 50) * 50.0), POLLUTED, self._newest())

    def kpis(self, now: float) -> Sequence[Kpi]:
        """Return the city's index with its primary pollutant."""
        quality = self._of(list(self._stations.by_id.values()), now)
        newest = self._newest()
        return (
            Kpi(
                key="aqi",
                label=Text("空气质量 AQI", "Air quality AQI"),
                value=quality.aqi if quality else None,
                unit=Text("", ""),
                sub=_described(quality) if quality else None,
                level=_severity(quality.aqi) if quality else None,
                stale=newest is not None and now - newest / 1000 > self._fresh_s,
                updated_at=newest,
                baseline=Reference(self._yesterday.aqi, Text("昨日同期", "Yesterday")) if self._yesterday else None,
                threshold=POLLUTED,
            ),
        )

    def notices(self, now: float) -> Sequence[Notice]:
        """Return a change of the city's level."""
        quality = self._of(list(self._stations.by_id.values()), now)
        if quality is None or quality.level == self._city_level:
            return ()
        before, self._city_level = self._city_level, quality.level
        if before is None:
            return ()
        name = level_name(quality.level)
        text = Text(
            f"全市空气质量转为{name.zh},AQI {quality.aqi}", f"City air is now {name.en.lower()}, AQI {quality.aqi}"
        )
        return (Notice(int(now * 1000), text, _severity(quality.aqi)),)

    def image(self, layer: str) -> MapImage | None:
        """Return the picture of air quality between the stations."""
        if layer != "air":
            raise KeyError(layer)
        return self._image

    def _draw(self, now: float) -> bool:
        """Draw the surface anew when an index changed, at most every IMAGE_EVERY_S; return whether it was drawn."""
        if self._image and now - self._image.at / 1000 < IMAGE_EVERY_S:
            return False
        fresh = [s for s in self._stations.by_id.values() if s.id in self._quality and not self._is_stale(s, now)]
        drawn = tuple(sorted((s.id, self._quality[s.id].aqi) for s in fresh))
        if drawn == self._drawn or len({(s.lon, s.lat) for s in fresh}) < MIN_STATIONS:
            return False
        lon, lat, index = (
            np.array(values, np.float64)
            for values in zip(*((s.lon, s.lat, self._quality[s.id].aqi) for s in fresh), strict=True)
        )
        surface = interpolate(self._grid, lon, lat, index)
        self._image = MapImage(picture(self._grid, surface), self._grid.bounds, int(now * 1000))
        self._drawn = drawn
        return True

    def _bar(self, district_id: str, stations: list[Station], now: float) -> Bar | None:
        quality = self._of(stations, now)
        district = self.city.district_index.get(district_id)
        if quality is None or district is None:
            return None
        names = self.city.districts.slice(district, 1).to_pylist()[0]
        return Bar(
            id=district_id,
            label=Text(names["name_zh"], names["name_en"]),
            value=quality.aqi,
            level=_severity(quality.aqi),
            sub=_described(quality),
        )

    def _of(self, stations: Sequence[Station], now: float) -> AirQuality | None:
        """Return the report of an area: of the mean concentrations of its stations that are not stale (HJ 633)."""
        fresh = [station.means() for station in stations if not self._is_stale(station, now)]
        means: dict[Pollutant, float | None] = {}
        for pollutant in POLLUTANTS:
            values = [value for row in fresh if (value := row.get(pollutant)) is not None]
            means[pollutant] = sum(values) / len(values) if values else None
        return hourly(means)

    def _event(self, stations: Iterable[Station], now: float) -> AirEvent:
        rows = [self._row(station, now) for station in stations]
        return AirEvent(rows, self._image.at if self._image else None)

    def _row(self, station: Station, now: float) -> StationRow:
        means = {p: None if v is None else round(v, 1) for p, v in station.means().items()}
        quality = self._quality.get(station.id)
        return StationRow(
            id=station.id,
            name=station.name,
            lon=station.lon,
            lat=station.lat,
            aqi=quality.aqi if quality else None,
            level=quality.level if quality else None,
            primary=quality.primary if quality else (),
            observed_at=int(station.observed_at * 1000),
            stale=self._is_stale(station, now),
            **means,
        )

    def _is_stale(self, station: Station, now: float) -> bool:
        return now - station.observed_at > self._fresh_s

    def _newest(self) -> int | None:
        newest = max((station.observed_at for station in self._stations.by_id.values()), default=None)
        return None if newest is None else int(newest * 1000)


def _severity(aqi: float) -> Severity | None:
    """Return the colour of an index: light pollution yellow, moderate orange, heavy and severe red; other air none."""
    return _SEVERITIES.get(level(aqi))


def _described(quality: AirQuality) -> Text:
    name = level_name(quality.level)
    if not quality.primary:
        return name
    zh = "、".join(POLLUTANT_NAMES[p].zh for p in quality.primary)
    en = ", ".join(POLLUTANT_NAMES[p].en for p in quality.primary)
    return Text(f"{name.zh} · {zh}", f"{name.en} · {en}")


def _means(answer: pa.Table) -> dict[Pollutant, float | None]:
    row = answer.to_pylist()[0]
    return {p: value if (value := row[p]) is not None and np.isfinite(value) else None for p in POLLUTANTS}
