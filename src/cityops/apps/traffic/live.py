"""The traffic app's live part: road state on the map, the performance index, congested roads, volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from cityops.apps.live import Live, Notice, Questions
from cityops.apps.panels import Hours, Kpi, PanelData, Reference, Rows, Series, Severity, Text, Trend
from cityops.apps.traffic.app import LinksEvent
from cityops.apps.traffic.congestion import SEVERE, CongestedRoad, CongestionBook
from cityops.apps.traffic.detectors import Detectors
from cityops.apps.traffic.history import DAY_MS, HOUR_MS, MINUTE_MS, Network, ask_hours, ask_minutes, minutes
from cityops.apps.traffic.links import LinkMatcher, LinkSpeeds
from cityops.apps.traffic.los import CONGESTED, LOS_NAMES, UNKNOWN, Levels, index_level, level_of_service
from cityops.data.contract import Contract
from cityops.data.live.table import Change, LiveTable
from cityops.technology.geo.basemap import Basemap
from cityops.technology.geo.coordinates import LocalPlane

Floats = npt.NDArray[np.float64]

CONGESTION_TPI: Final = Reference(4.0, Text("轻度拥堵", "Congestion"))
"""From 4 up the network counts as congested (DB11/T 785-2011)."""
ROADS_SHOWN: Final = 12
AHEAD_MINUTES: Final = 5
"""Yesterday is asked for a little ahead, so that the baseline never lags behind the clock."""
LATE_MINUTES: Final = 3
"""The newest minutes are asked for again: rows arrive a little after their minute."""


class TrafficLive(Live):
    """State of the road network; times are epoch seconds unless they say ms."""

    first_kpi = 0

    def __init__(self, city: Basemap | None, contracts: Mapping[str, Contract]) -> None:
        super().__init__(city, contracts)
        city = self.city
        links = city.links
        self._network = Network(links["free_speed_kmh"].to_numpy(), links["length_m"].to_numpy())
        self._fresh_s = contracts["TrafficFlowObserved"].freshness.total_seconds()
        self._detectors = Detectors(city)
        self._matcher = LinkMatcher(city.link_geometries, LocalPlane(*city.city.center))
        self._fusion = LinkSpeeds(len(links), self._fresh_s)
        self._book = CongestionBook(city)
        self._speeds: Floats = np.full(len(links), np.nan)
        self._levels: Levels = np.zeros(len(links), np.uint8)
        self._sent: Levels = np.zeros(len(links), np.uint8)
        self._roads: list[CongestedRoad] = []
        self._assessed_at = 0.0
        self._index: dict[int, float] = {}
        self._asked: dict[int, int] = {}
        self._hours: list[tuple[int, float]] = []
        self._tpi = float("nan")

    def receive(self, table: LiveTable, change: Change) -> None:
        """Take intervals of detectors and positions of probe vehicles."""
        if table.contract.name == "TrafficFlowObserved":
            self._detectors.receive(table)
            d = self._detectors
            on = d.link >= 0
            self._fusion.set_detectors(d.link[on], d.speed[on], d.flow[on], d.at[on])
        else:
            self._receive_probes(table, change.rows)

    async def remember(self, warehouse: Questions, now: float) -> None:
        """Bring the index of the last hour, of the same hour yesterday, and the last day's volume."""
        this_minute = int(now * 1000) // MINUTE_MS * MINUTE_MS
        for back, ahead in ((0, 0), (DAY_MS, AHEAD_MINUTES * MINUTE_MS)):
            until = this_minute - back + ahead
            since = max(until - ahead - HOUR_MS, self._asked.get(back, 0) - LATE_MINUTES * MINUTE_MS)
            answer = await ask_minutes(warehouse, since, until)
            self._index |= minutes(answer, self._detectors, self._network)
            if len(self._detectors):  # before they are known an answer means nothing
                self._asked[back] = until
        self._index = {m: tpi for m, tpi in self._index.items() if m >= this_minute - DAY_MS - 2 * HOUR_MS}
        this_hour = this_minute // HOUR_MS * HOUR_MS
        self._hours = await ask_hours(warehouse, this_hour - 23 * HOUR_MS, this_hour + HOUR_MS)

    def changes(self, topic: str, now: float) -> object | None:
        """Return the links whose level of service changed."""
        if topic != "traffic.links":
            raise KeyError(topic)
        self._assess(now)
        changed = np.flatnonzero(self._levels != self._sent)
        self._sent = self._levels
        return _links_event(changed, self._levels) if len(changed) else None

    def snapshot(self, topic: str, now: float) -> object | None:
        """Return the level of service of every link that has one."""
        if topic != "traffic.links":
            raise KeyError(topic)
        self._assess(now)
        return _links_event(np.flatnonzero(self._levels), self._levels)

    def panel(self, panel: str, now: float) -> PanelData | None:
        """Return the index' last hour, the congested roads, or the day's volume."""
        match panel:
            case "tpi":
                return self._trend(now)
            case "congestion":
                rows = [self._book.row(road) for road in self._roads[:ROADS_SHOWN]]
                return Rows(rows, len(self._roads), self._newest())
            case "flow":
                unit = Text("辆/时", "veh/h")
                return Hours(unit, self._hours, updated_at=self._newest()) if self._hours else None
        raise KeyError(panel)

    def kpis(self, now: float) -> Sequence[Kpi]:
        """Return the index, the congested links and the detectors online."""
        online, known = self._detectors.online(now, self._fresh_s), len(self._detectors)
        newest = self._newest()
        stale = known > 0 and online == 0
        tpi = None if np.isnan(self._tpi) else round(self._tpi, 2)
        judged = int(np.count_nonzero(self._levels != UNKNOWN))
        yesterday = self._index.get(int(now * 1000) // MINUTE_MS * MINUTE_MS - DAY_MS)
        return (
            Kpi(
                key="tpi",
                label=Text("交通运行指数", "Traffic index"),
                value=tpi,
                unit=Text("", ""),
                digits=1,
                sub=None if tpi is None else LOS_NAMES[index_level(tpi)],
                level=None if tpi is None else _index_severity(tpi),
                stale=stale,
                updated_at=newest,
                baseline=None if yesterday is None else Reference(round(yesterday, 2), Text("昨日同期", "Yesterday")),
                threshold=CONGESTION_TPI,
            ),
            Kpi(
                key="congested",
                label=Text("拥堵路段", "Congested links"),
                value=int(np.count_nonzero(self._levels >= CONGESTED)) if judged else None,
                total=judged or None,
                unit=Text("条", ""),
                stale=stale,
                updated_at=newest,
            ),
            Kpi(
                key="detectors",
                label=Text("检测器在线", "Detectors online"),
                value=online if known else None,
                total=known or None,
                unit=Text("个", ""),
                stale=stale,
                updated_at=newest,
            ),
        )

    def notices(self, now: float) -> Sequence[Notice]:
        """Return the roads that came to a severe congestion that lasts."""
        return [_notice(road, now) for road in self._book.news(self._roads, now)]

    def _receive_probes(self, table: LiveTable, rows: npt.NDArray[np.int64]) -> None:
        rows = rows[table.column("kind")[rows] == "probe"]
        lon, lat, heading, speed = (table.column(name)[rows] for name in ("longitude", "latitude", "heading", "speed"))
        link = self._matcher.match(lon, lat, heading)
        usable = (link >= 0) & np.isfinite(speed)
        at = table.column("observed_at")[rows] / 1000
        self._fusion.add_probes(link[usable], rows[usable], speed[usable], at[usable])

    def _assess(self, now: float) -> None:
        """Judge every link; once a second also the roads and the index."""
        self._speeds = self._fusion.speeds(now)
        self._levels = level_of_service(self._speeds, self._network.free_speed)
        self._book.update(self._levels, now)
        if now - self._assessed_at < 1.0:
            return
        self._assessed_at = now
        self._roads = self._book.roads(self._levels, self._speeds)
        d = self._detectors
        fresh = now - d.at <= self._fresh_s
        self._tpi = self._network.tpi(d.link[fresh], d.speed[fresh], d.flow[fresh])
        if np.isfinite(self._tpi):
            # Until the warehouse answers for a minute, it has what was seen of it last.
            self._index[int(now * 1000) // MINUTE_MS * MINUTE_MS] = self._tpi

    def _trend(self, now: float) -> Trend | None:
        this_minute = int(now * 1000) // MINUTE_MS * MINUTE_MS
        times = range(this_minute - HOUR_MS, this_minute + 1, MINUTE_MS)
        today = _points(times, self._index, 0)
        yesterday = _points(times, self._index, DAY_MS)
        if all(value is None for _, value in today):
            return None
        series = [Series("now", Text("实时", "Today"), "solid", today)]
        if any(value is not None for _, value in yesterday):
            series.append(Series("yesterday", Text("昨日同期", "Yesterday"), "dashed", yesterday))
        return Trend(Text("", ""), series, CONGESTION_TPI, updated_at=self._newest())

    def _newest(self) -> int | None:
        newest = self._detectors.at.max(initial=-np.inf)
        return int(newest * 1000) if np.isfinite(newest) else None


def _points(times: Sequence[int], index: Mapping[int, float], back: int) -> list[tuple[int, float | None]]:
    return [(t, None if (value := index.get(t - back)) is None else round(value, 2)) for t in times]


def _links_event(rows: npt.NDArray[np.int64], levels: Levels) -> LinksEvent:
    return LinksEvent(np.column_stack([rows + 1, levels[rows]]).ravel().tolist())


def _index_severity(tpi: float) -> Severity | None:
    """Return the colour of an index: moderate congestion yellow, severe orange; less is nothing abnormal."""
    level = index_level(tpi)
    return 2 if level == SEVERE else 3 if level == CONGESTED else None


def _notice(road: CongestedRoad, now: float) -> Notice:
    district = road.district or Text("", "")
    return Notice(
        at=int(now * 1000),
        text=Text(
            f"{district.zh}{road.name.zh}严重拥堵,平均车速 {road.speed:.0f} km/h".strip(),
            f"{road.name.en}, {district.en}: severe congestion, {road.speed:.0f} km/h",
        ),
    )
