"""The budgets of the map page: bytes, processor time to the first map and per update, heap."""

from __future__ import annotations

import time
from collections.abc import Container, Iterator
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import CDPSession, Page
from tests.e2e.conftest import Centre, Show, Watched

from cityops.ioc.assets import FOLDER

KB = 1024
MAP_PAGE_BYTES = 500 * KB
FIRST_FONTS_BYTES = 240 * KB
OTHER_PAGE_BYTES = 300 * KB
FIRST_MAP_CPU_S = 7.0
SCRIPT_MS_PER_SECOND = 10.0
PUSH_BYTES_PER_S = 25 * KB
HEAP_GROWTH_BYTES = 2_000 * KB
WATCHED_S = 15


def gzipped(url: str) -> int:
    """Return what the file behind `url` weighs compressed with gzip."""
    path = urlsplit(url).path.lstrip("/")
    file = FOLDER / (path if "." in path else "index.html")
    packed = file.with_name(file.name + ".gz")
    return (packed if packed.is_file() else file).stat().st_size


def weight(watched: Watched, *kinds: str, among: Container[str] | None = None) -> int:
    """Return the bytes of distinct files of the given kinds, of those `among` when given."""
    urls = {request.url for request in watched.requests if request.resource_type in kinds}
    return sum(gzipped(url) for url in urls if among is None or url in among)


@pytest.fixture
def devtools(page: Page) -> Iterator[CDPSession]:
    """The page's developer tools, measuring time on its own thread."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    yield session
    session.detach()


def metrics(devtools: CDPSession) -> dict[str, float]:
    return {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}


def browser_cpu_s() -> float:
    """Return the processor time of every process of the browser."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            if "chrom" in process.name():
                times = process.cpu_times()
                total += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return total


def test_the_map_page_is_light(centre: Centre, show: Show, watched: Watched):
    page = show(centre.address)
    before_map = page.evaluate(
        """performance.getEntries().filter(({ entryType, startTime }) => ['navigation', 'resource'].includes(entryType)
            && startTime <= performance.getEntriesByName('map')[0].startTime).map(({ name }) => name)"""
    )
    assert [url for url in before_map if "maplibre-gl-worker" in url], "the map's worker is part of the page"
    first = weight(watched, "document", "script", "stylesheet", among=before_map)
    fonts = weight(watched, "font", among=before_map)
    assert first <= MAP_PAGE_BYTES, f"{first / KB:.0f} KB gzipped until the map is drawn"
    assert fonts <= FIRST_FONTS_BYTES, f"{fonts / KB:.0f} KB of fonts until the map is drawn"


@pytest.mark.parametrize("path", ["/data", "/objects"])
def test_other_pages_are_lighter(centre: Centre, show: Show, watched: Watched, path: str):
    page = show(centre.address, path)
    page.locator("table").first.wait_for()
    assert weight(watched, "document", "script", "stylesheet", "font") <= OTHER_PAGE_BYTES


def test_the_first_map_costs_little(centre: Centre, page: Page, show: Show):
    page.goto("about:blank")
    before = browser_cpu_s()
    show(centre.address)
    spent = browser_cpu_s() - before
    assert spent <= FIRST_MAP_CPU_S, f"{spent:.1f} CPU-s to the first map"


def test_an_update_costs_little_script_and_the_heap_stands(lively: Centre, show: Show, devtools: CDPSession):
    page = show(lively.address)
    page.locator("article.trend canvas").wait_for(timeout=20_000)
    page.wait_for_timeout(5_000)
    devtools.send("HeapProfiler.collectGarbage")
    before, began = metrics(devtools), time.monotonic()
    page.wait_for_timeout(WATCHED_S * 1000)
    devtools.send("HeapProfiler.collectGarbage")
    after, seconds = metrics(devtools), time.monotonic() - began
    script = 1000 * (after["ScriptDuration"] - before["ScriptDuration"]) / seconds
    growth = after["JSHeapUsedSize"] - before["JSHeapUsedSize"]
    pushed = lively.state("link")["push_bytes_per_s"]
    assert script <= SCRIPT_MS_PER_SECOND, f"{script:.1f} ms of script a second"
    assert growth <= HEAP_GROWTH_BYTES, f"the heap grew by {growth / KB:.0f} KB in {seconds:.0f} s"
    assert 0 < pushed <= PUSH_BYTES_PER_S, f"{pushed / KB:.1f} KB/s pushed to a client"
