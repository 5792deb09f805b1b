"""Congested roads: links grouped into the roads people know, with how bad, how long and since when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cityops.apps.panels import Row, Text
from cityops.apps.traffic.los import CONGESTED, LOS_NAMES, Levels
from cityops.technology.geo.basemap import Basemap

Floats = npt.NDArray[np.float64]

SEVERE: Final = 5
SPOKEN_AFTER_S: Final = 120.0
"""A road is in the news when it has been severely congested this long: shorter is a red light."""
SPOKEN_AGAIN_S: Final = 1800.0


@dataclass(frozen=True, slots=True)
class CongestedRoad:
    """A named road in one district with its congested links: the worst one stands for it."""

    name: Text
    district: Text | None
    worst: int
    level: int
    speed: float
    free_speed: float
    length_m: float
    links: int
    since: float


class CongestionBook:
    """Since when each link is congested, and which roads that makes; times are epoch seconds."""

    def __init__(self, city: Basemap) -> None:
        self._city = city
        links = city.links
        names = zip(links["name_zh"].to_pylist(), links["district_id"].to_pylist(), strict=True)
        roads: dict[tuple[str, str], int] = {}
        self._road = np.array([roads.setdefault(name, len(roads)) for name in names], np.int64)
        self._length = links["length_m"].to_numpy()
        self._free_speed = links["free_speed_kmh"].to_numpy()
        self._since = np.full(len(links), np.nan)
        self._spoken: dict[int, float] = {}

    def update(self, levels: Levels, now: float) -> None:
        """Take the present levels of all links."""
        congested = levels >= CONGESTED
        self._since[~congested] = np.nan
        self._since[congested & np.isnan(self._since)] = now

    def roads(self, levels: Levels, speeds: Floats) -> list[CongestedRoad]:
        """Return the congested roads: worst level first, longest first among equals."""
        rows = np.flatnonzero(levels >= CONGESTED)
        order = np.lexsort((speeds[rows] / self._free_speed[rows], self._road[rows]))
        rows = rows[order]
        begins = np.flatnonzero(np.diff(self._road[rows], prepend=-1))
        found = [self._of(group, levels, speeds) for group in np.split(rows, begins[1:]) if len(group)]
        return sorted(found, key=lambda road: (-road.level, -road.length_m))

    def news(self, roads: Sequence[CongestedRoad], now: float) -> list[CongestedRoad]:
        """Return the roads that have been severely congested for a while and were not spoken of lately."""
        news = []
        for road in roads:
            key = int(self._road[road.worst])
            lately = now - self._spoken.get(key, -np.inf) < SPOKEN_AGAIN_S
            if road.level == SEVERE and now - road.since >= SPOKEN_AFTER_S and not lately:
                self._spoken[key] = now
                news.append(road)
        return news

    def row(self, road: CongestedRoad) -> Row:
        """Return the road as a row of the panel."""
        lon, lat = self._city.link_midpoints[road.worst]
        district = road.district or Text("", "")
        kilometres = f"{road.length_m / 1000:.1f} km"
        speeds = f"{road.speed:.0f}/{road.free_speed:.0f} km/h"
        return Row(
            id=f"{self._road[road.worst]}",
            title=road.name,
            sub=Text(f"{district.zh} · {kilometres}".lstrip(" ·"), f"{district.en} · {kilometres}".lstrip(" ·")),
            right=Text(speeds, speeds),
            right2=LOS_NAMES[road.level],
            los=road.level,
            lon=round(float(lon), 6),
            lat=round(float(lat), 6),
            fid=road.worst + 1,
            since=int(road.since * 1000),
        )

    def _of(self, rows: npt.NDArray[np.int64], levels: Levels, speeds: Floats) -> CongestedRoad:
        worst = int(rows[0])
        links, districts = self._city.links, self._city.districts
        district = self._city.district_index.get(links["district_id"][worst].as_py())
        unnamed = Text("无名路", "Unnamed road")
        name = Text(links["name_zh"][worst].as_py(), links["name_en"][worst].as_py())
        return CongestedRoad(
            name=name if name.zh else unnamed,
            district=None
            if district is None
            else Text(districts["name_zh"][district].as_py(), districts["name_en"][district].as_py()),
            worst=worst,
            level=int(levels[worst]),
            speed=float(speeds[worst]),
            free_speed=float(self._free_speed[worst]),
            length_m=float(self._length[rows].sum()),
            links=len(rows),
            since=float(np.nanmin(self._since[rows])),
        )
