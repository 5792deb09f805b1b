"""The screens' side of the platform in one object: city, contracts, live parts and their feed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely

from cityops.apps.live import MapImage
from cityops.apps.manifest import App, Layer, Panel
from cityops.apps.panels import SHAPES, Text
from cityops.data.contract import Contract, Contracts
from cityops.data.live.table import Change, LiveTable
from cityops.ioc.datalink import DataLink, LinkState
from cityops.ioc.feed import Feed
from cityops.ioc.parts import PANEL_EVERY_S, VITALS, Part, Ticker, TopicSource, panel_source, vitals_source
from cityops.ioc.shapes import (
    Check,
    CityInfo,
    ClockEvent,
    DistrictInfo,
    Health,
    LayerInfo,
    PanelInfo,
    TickerEvent,
)
from cityops.technology.clock import Clock
from cityops.technology.geo.basemap import Basemap

TILES_URL: Final = "/v1/tiles/tiles.pmtiles"
DATA_LINK: Final = Panel("link", "link", Text("数据链路", "Data link"), "right", 100)
OWN_PANELS: Final = (VITALS, DATA_LINK)
OWN_TOPICS: Final[Mapping[str, type]] = {"clock": ClockEvent, "ticker": TickerEvent, "link": LinkState}


@dataclass
class Constant:
    """A feed source that says the same at every tick."""

    state: object

    def changes(self, now: float) -> object | None:  # the Source protocol
        """Return the state."""
        return self.state

    snapshot = changes


class Screen:
    """What all clients of one IOC process share."""

    def __init__(self, clock: Clock, contracts: Contracts, apps: Sequence[App]) -> None:
        """Make the feed of `apps`; it says what it can before the city and the engines are there."""
        self.clock = clock
        self.contracts = contracts
        self.apps = apps
        self.city: Basemap | None = None
        self.parts = [Part(app) for app in apps]
        for part in self.parts:
            part.begin(None, contracts)
        self._tables: dict[str, LiveTable] = {}
        self.link = DataLink(clock.epoch_ms())
        self.feed = Feed(clock)
        self.checks: dict[str, Check] = {}
        self._started = time.monotonic()
        self._publish()

    def _publish(self) -> None:
        feed = self.feed
        feed.add("clock", Constant(ClockEvent("live")), every=1.0, whole=True)
        feed.add("ticker", Ticker(self.parts), every=1.0, whole=True)
        for part in self.parts:
            for topic in part.app.topics:
                feed.add(topic.name, TopicSource(part, topic.name), every=topic.every, whole=topic.whole)
            for panel in part.app.panels:
                feed.add(f"panel.{panel.id}", panel_source(part, panel.id), every=PANEL_EVERY_S[panel.kind], whole=True)
        feed.add(f"panel.{VITALS.id}", vitals_source(self.parts), every=PANEL_EVERY_S[VITALS.kind], whole=True)
        feed.add("link", self, every=1.0, whole=True)
        feed.add(f"panel.{DATA_LINK.id}", self, every=1.0, whole=True)
        shown_by = {topic.name: topic.contracts for app in self.apps for topic in app.topics if topic.contracts}
        feed.after_tick.append(lambda topic, now: self.link.shown(shown_by.get(topic, ()), now))

    def changes(self, now: float) -> object | None:
        """Return the state of the data link (the Source protocol)."""
        return self.link.state(self.feed.sent_bytes, len(self.feed.clients), now)

    snapshot = changes

    def open_city(self, city: Basemap) -> None:
        """Begin the live parts anew on `city` and hand them all that is known."""
        self.city = city
        for part in self.parts:
            part.begin(city, self.contracts)
        for table in self._tables.values():
            rows = np.arange(len(table))
            every = np.ones(len(table), np.bool_)
            self._hand_on(table, Change(rows, every, every))

    def receive(self, table: LiveTable, change: Change) -> None:
        """Hand what is new of a contract to every part that reads it."""
        self._tables[table.contract.name] = table
        self.link.received(table, change, self.feed.now())
        self._hand_on(table, change)

    def _hand_on(self, table: LiveTable, change: Change) -> None:
        for part in self.parts:
            if table.contract.name in part.app.reads:
                part.receive(table, change)

    @property
    def reads(self) -> list[Contract]:
        """The contracts that some app reads and that are declared."""
        wanted = {name for app in self.apps for name in app.reads}
        return [self.contracts[name] for name in sorted(wanted) if name in self.contracts]

    def panels(self) -> list[PanelInfo]:
        """Return all panels, those of a column in their order."""
        owned = [("platform", panel) for panel in OWN_PANELS]
        owned += [(app.name, panel) for app in self.apps for panel in app.panels]
        return [
            PanelInfo(p.id, app, p.column, p.order, p.kind, p.title, p.unit, f"panel.{p.id}")
            for app, p in sorted(owned, key=lambda pair: (pair[1].column, pair[1].order, pair[1].id))
        ]

    def city_info(self) -> CityInfo | None:
        """Return what a screen must know of the city, None without one."""
        if self.city is None:
            return None
        city = self.city.city
        tiles = self.city.tiles
        return CityInfo(
            id=city.id,
            name=Text(city.name["zh"], city.name["en"]),
            division_code=city.division_code,
            center=city.center,
            bounds=city.bounds,
            timezone=city.timezone,
            population=city.population,
            source=city.source,
            crs=city.crs,
            counts=city.counts,
            tiles=f"{TILES_URL}?v={tiles.stat().st_mtime_ns:x}" if tiles.is_file() else None,
            districts=list(_districts(self.city)),
            layers=[_layer(app, layer) for app in self.apps for layer in app.layers],
            topics=sorted(self.feed.topics),
        )

    def image(self, layer: str) -> MapImage | None:
        """Return the newest picture of an image layer, None while there is none. Raises KeyError for another layer."""
        for part in self.parts:
            if any(own.id == layer and own.kind == "image" for own in part.app.layers):
                return part.ask(f"image {layer}", lambda live: live.image(layer), None)
        raise KeyError(layer)

    def shapes(self) -> dict[str, type]:
        """Return the shape of every topic's events, without the `t` and `full` that all have."""
        shapes: dict[str, type] = dict(OWN_TOPICS)
        shapes |= {topic.name: topic.shape for app in self.apps for topic in app.topics}
        for panel in self.panels():
            shapes[panel.topic] = LinkState if panel.kind == "link" else SHAPES[panel.kind]
        return shapes

    def health(self, version: str) -> Health:
        """Return what is missing."""
        city = Check(True) if self.city else Check(False, "no city yet: `cityops up` makes one")
        parts = [part.app.name for part in self.parts if part.failing]
        apps = Check(not parts, f"failing: {', '.join(parts)}" if parts else "")
        checks = {"city": city, "apps": apps, **self.checks}
        return Health(
            status="ok" if all(check.ok for check in checks.values()) else "degraded",
            version=version,
            mode="live",
            uptime_s=round(time.monotonic() - self._started, 1),
            clients=len(self.feed.clients),
            checks=checks,
        )


def _districts(city: Basemap) -> Iterator[DistrictInfo]:
    inside = shapely.get_coordinates(shapely.point_on_surface(city.district_geometries))
    rows: list[dict[str, Any]] = city.districts.drop_columns(["geometry"]).to_pylist()
    for row, (lon, lat) in zip(rows, inside, strict=True):
        name = Text(row["name_zh"], row["name_en"])
        yield DistrictInfo(row["district_id"], name, (round(float(lon), 6), round(float(lat), 6)), row["population"])


def _layer(app: App, layer: Layer) -> LayerInfo:
    image = f"/v1/map/{layer.id}.png" if layer.kind == "image" else None
    return LayerInfo(layer.id, app.name, layer.kind, layer.title, layer.topic, layer.legend, layer.shown, image)
