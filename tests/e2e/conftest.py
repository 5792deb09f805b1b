"""A running centre for browser tests: real engines, a small city, data sent in as devices send them, and a browser."""

from __future__ import annotations

import json
import os
import signal
import threading
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Request
from tests.e2e.busy_city import BusyCity
from tests.e2e.recorded import answers
from tests.engines import Engines, any_ports, engines, until

from cityops.ioc.assets import FOLDER
from cityops.settings import Settings
from cityops.technology.geo.basemap import write_basemap
from cityops.twin.plan import layers, tables
from cityops.twin.plan.generate import generate

CHROMIUM = Path("/usr/bin/chromium")
ROLES = ["nats", "postgres", "warehouse", "migrate", "pipeline", "edge", "ioc"]
POPULATION, SEED = 40_000, 7
DRAWN_MS = 60_000
"""A browser without a graphics card on a busy machine draws its first map slowly."""

needs_browser = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium")
needs_ui = pytest.mark.skipif(not (FOLDER / "index.html").is_file(), reason="the web UI is not built: make up")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            for mark in (pytest.mark.e2e, pytest.mark.engine, needs_browser, needs_ui, pytest.mark.timeout(300)):
                item.add_marker(mark)


class Centre:
    """The platform as a person meets it: an address, an edge that takes observations, roles that can be killed."""

    def __init__(self, engines: Engines, city: BusyCity) -> None:
        self.engines = engines
        self.city = city
        settings = engines.settings
        self.address = f"http://{settings.ioc_host}:{settings.ioc_port}"
        self._edge = f"http://{settings.edge_host}:{settings.edge_port}"

    def send(self, contract: str, rows: Iterable[Mapping[str, Any]]) -> None:
        body = "\n".join(json.dumps(row) for row in rows).encode()
        request = urllib.request.Request(
            f"{self._edge}/v1/ingest/{contract}?source=e2e", body, {"Content-Type": "application/x-ndjson"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.status == 202

    def send_all(self) -> None:
        """Send one observation of everything in the city."""
        for contract, rows in self.city.everything().items():
            self.send(contract, rows)

    def state(self, topic: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.address}/v1/topics/{topic}", timeout=10) as answer:
            return dict(json.load(answer))

    def kill_ioc(self) -> None:
        os.kill(self.engines.pid("ioc"), signal.SIGKILL)


def write_city(settings: Settings) -> None:
    """Write a generated town without its traffic network."""
    plan = generate(POPULATION, SEED)
    write_basemap(settings.city_dir, tables.city(plan), tables.links(plan), tables.places(plan), tables.districts(plan))
    layers.write_tiles(plan, settings.city_dir / "tiles.pmtiles")


@pytest.fixture(scope="session")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """The platform with a town whose roads, air, units and alerts have been heard of once."""
    settings = any_ports(tmp_path_factory.mktemp("centre"))
    write_city(settings)
    with engines(settings, ROLES) as started:
        made = Centre(started, BusyCity.open(settings.city_dir))
        until(lambda: answers(f"{made.address}/v1/city"), seconds=60)
        made.send_all()
        until(lambda: len(made.state("traffic.links")["set"]) > 200 and made.state("alerts")["set"], seconds=60)
        yield made


@pytest.fixture
def lively(centre: Centre) -> Iterator[Centre]:
    """The centre while vehicles move and detectors report, once a second."""
    stop = threading.Event()

    def go_on() -> None:
        while not stop.wait(1.0):
            for contract, rows in centre.city.next_second().items():
                centre.send(contract, rows)

    thread = threading.Thread(target=go_on, name="lively")
    thread.start()
    yield centre
    stop.set()
    thread.join()


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Debian's Chromium without what it would ask of the internet; WebGL in software."""
    flags = "--no-sandbox --disable-quic --no-first-run --disable-background-networking --disable-component-update"
    return {
        "executable_path": str(CHROMIUM),
        "args": [*flags.split(), "--disable-sync", "--enable-unsafe-swiftshader"],
    }


@pytest.fixture(scope="session")
def browser_context_args() -> dict[str, Any]:
    """A wall small enough for a machine that draws in software."""
    return {"viewport": {"width": 1280, "height": 720}}


class Watched:
    """What a page asked for and complained about."""

    def __init__(self, page: Page) -> None:
        self.requests: list[Request] = []
        self.complaints: list[str] = []
        page.on("request", self._asked)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)

    def _asked(self, request: Request) -> None:
        self.requests.append(request)


@pytest.fixture
def watched(page: Page) -> Watched:
    """The page's requests and complaints from its first on."""
    return Watched(page)


Show = Callable[..., Page]


@pytest.fixture
def show(page: Page, watched: Watched) -> Show:  # watching begins before the page does
    """Open the page of a centre and wait until its map is drawn."""

    def open_page(address: str, path: str = "/") -> Page:
        page.goto(address + path)
        if path.split("?", maxsplit=1)[0] == "/":
            page.wait_for_selector("html[data-map=ready]", timeout=DRAWN_MS)
        return page

    return open_page
