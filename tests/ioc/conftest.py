"""A screen of the small city, without engines, and a client of its API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.small_city import small_city

from cityops.data.warehouse.client import AsyncWarehouse
from cityops.ioc.assets import Assets
from cityops.ioc.screen import Screen
from cityops.ioc.server import create_app, load_screen


@pytest.fixture
def screen(tmp_path: Path) -> Screen:
    """All installed apps on the small city."""
    made = load_screen()
    city = small_city(tmp_path / "city")
    city.tiles.write_bytes(bytes(range(256)) * 4)
    made.open_city(city)
    return made


@pytest.fixture
def ui(tmp_path: Path) -> Path:
    """A built UI of three files, one of them compressed too."""
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>UI</title>")
    (folder / "assets" / "app-1a2b.js").write_text("console.log('plain')")
    (folder / "assets" / "app-1a2b.js.br").write_bytes(b"squeezed")
    (folder / "assets" / "dot-3c.svg").write_text("<svg/>")
    return folder


@pytest.fixture
async def client(screen: Screen, ui: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API; no warehouse answers."""
    nobody = AsyncWarehouse("http://127.0.0.1:9")
    transport = httpx.ASGITransport(create_app(screen, nobody, Assets(ui)))
    async with httpx.AsyncClient(transport=transport, base_url="http://ioc") as asking:
        yield asking
    await nobody.close()
