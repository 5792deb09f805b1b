"""What an app declares of itself; the platform finds it by the entry point group `cityops.apps`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Literal

from cityops.apps.panels import PanelKind, Text

if TYPE_CHECKING:
    from cityops.apps.live import Live

GROUP = "cityops.apps"
LayerKind = Literal["road-state", "points", "image"]


class ManifestError(ValueError):
    """A manifest that cannot be used; says which app and why."""


@dataclass(frozen=True)
class Panel:
    """A panel of the big screen; its data arrive on the feed topic `panel.<id>` in the shape of its kind."""

    id: str
    kind: PanelKind
    title: Text
    column: Literal["left", "right"]
    order: int
    unit: Text | None = None


@dataclass(frozen=True)
class Topic:
    """A feed topic: `shape` is its event's dataclass, sent at most once in `every` seconds and only when it changed.

    `contracts` names those whose rows are on the screen once this topic has been sent: the data link's delay is
    measured there. `whole` says that every event replaces the topic's state.
    """

    name: str
    shape: type
    every: float
    contracts: Sequence[str] = ()
    whole: bool = False


@dataclass(frozen=True)
class LegendItem:
    """One line of a layer's legend: the value in the data, its name, and the colour it is drawn in."""

    value: int
    label: Text
    color: str


@dataclass(frozen=True)
class Layer:
    """A map layer: roads painted by a topic's state, points of a topic, or an image at `/v1/map/<id>.png`."""

    id: str
    kind: LayerKind
    title: Text
    topic: str
    legend: Sequence[LegendItem] = ()
    shown: bool = True


@dataclass(frozen=True)
class App:
    """An app's manifest; contracts are found in the folder `contracts` beside it (data.contract.installed).

    `reads` names the contracts whose rows its live part is given; `live` is `package.module:Class` of that part
    (see `cityops.apps.live.Live`).
    """

    name: str
    title: Text
    reads: Sequence[str] = ()
    topics: Sequence[Topic] = ()
    panels: Sequence[Panel] = ()
    layers: Sequence[Layer] = ()
    live: str = ""

    def live_class(self) -> type[Live] | None:
        """Return the class of the live part, None for an app that shows nothing. Raises ManifestError."""
        if not self.live:
            return None
        module, _, name = self.live.partition(":")
        try:
            found: type[Live] = getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ManifestError(f"app {self.name}: live part {self.live!r} cannot be loaded ({error})") from error
        return found


def installed() -> list[App]:
    """Return the manifests of every installed app, in the order of their names."""
    return sorted((entry.load() for entry in entry_points(group=GROUP)), key=lambda app: app.name)
