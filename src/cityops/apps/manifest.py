"""What an app declares of itself; the platform finds it by the entry point group `cityops.apps`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal

PanelKind = Literal["kpis", "trend", "bars", "list", "hours", "link"]


@dataclass(frozen=True)
class Text:
    """A label in the two languages of the screens."""

    zh: str
    en: str


@dataclass(frozen=True)
class Panel:
    """A panel of the big screen; its data arrive on the feed topic `panel.<id>` in the shape of its kind."""

    id: str
    kind: PanelKind
    title: Text
    column: Literal["left", "right"]
    order: int
    unit: str = ""


@dataclass(frozen=True)
class App:
    """An app's manifest. `live` is the dotted name of a class that turns contract changes into layers and panels."""

    name: str
    title: Text
    contracts: Path
    panels: Sequence[Panel] = ()
    topics: Sequence[str] = ()
    live: str = ""


def installed() -> list[App]:
    """Return the manifests of every installed app, in the order of their names."""
    return sorted((entry.load() for entry in entry_points(group="cityops.apps")), key=lambda app: app.name)
