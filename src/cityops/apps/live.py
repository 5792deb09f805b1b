"""The live part of an app: rows of its contracts come in, topics, panels, key numbers and notices go out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import pyarrow as pa

from cityops.apps.panels import Kpi, PanelData, Severity, Text
from cityops.data.contract import Contract
from cityops.data.live.table import Change, LiveTable
from cityops.technology.geo.basemap import Basemap


class Questions(Protocol):
    """What a live part may ask of the warehouse."""

    async def query(self, sql: str, parameters: Mapping[str, object] | None = None) -> pa.Table:
        """Return the answer to `sql`, whose `{name:Type}` places take `parameters`."""
        ...


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened, for the ticker: `at` epoch ms, with an emergency level when it has one."""

    at: int
    text: Text
    level: Severity | None = None


@dataclass(frozen=True, slots=True)
class MapImage:
    """An image drawn over the map: PNG bytes, its corners (west, south, east, north), its time (epoch ms)."""

    png: bytes
    bounds: tuple[float, float, float, float]
    at: int


class Live:
    """Base of live parts. All methods are called on one event loop and must return quickly; `now` is epoch seconds."""

    first_kpi: ClassVar[int] = 100
    """Where this app's key numbers stand among those of others."""

    needs_city: ClassVar[bool] = True
    """Whether this part can only begin once there is a city."""

    def __init__(self, city: Basemap | None, contracts: Mapping[str, Contract]) -> None:
        self._city = city
        self.contracts = contracts

    @property
    def city(self) -> Basemap:
        """The city. Raises LookupError in a part that was begun without one."""
        if self._city is None:
            raise LookupError(f"{type(self).__name__} was begun without a city")
        return self._city

    def receive(self, table: LiveTable, change: Change) -> None:
        """Take the live table of a contract the app reads, in which the rows of `change` are new."""

    async def remember(self, warehouse: Questions, now: float) -> None:
        """Ask the warehouse for history: at the start and every minute. May raise; it is tried again."""

    def changes(self, topic: str, now: float) -> object | None:
        """Return what changed visibly on `topic` since the last call, None for nothing."""
        raise KeyError(topic)

    def snapshot(self, topic: str, now: float) -> object | None:
        """Return the whole state of `topic`, None while there is none."""
        raise KeyError(topic)

    def panel(self, panel: str, now: float) -> PanelData | None:
        """Return the data of `panel`, None while there is none."""
        raise KeyError(panel)

    def kpis(self, now: float) -> Sequence[Kpi]:  # the base has none
        """Return this app's numbers for the panel of the city's vital signs."""
        return ()

    def notices(self, now: float) -> Sequence[Notice]:  # the base has none
        """Return what happened since the last call."""
        return ()

    def image(self, layer: str) -> MapImage | None:
        """Return the newest image of `layer`, None while there is none."""
        raise KeyError(layer)
