"""What the big screen costs a browser with the demo city live: bytes, time to the first map, script, memory.

Runs Debian's chromium with software GL, so that a machine without a GPU gives an upper bound.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import psutil
from playwright.sync_api import CDPSession, Page, sync_playwright

from bench.report import Report
from bench.running import platform
from bench.up import live_roads

FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",
]
CODE = ("text/html", "javascript", "text/css")


def browser_cpu(profile: str) -> float:
    """Return the CPU seconds of every process of the browser that was started with `profile` as its mark."""
    total = 0.0
    for process in psutil.process_iter(["cmdline"]):
        if any(profile in part for part in process.info["cmdline"] or ()):
            try:
                family = [process, *process.children(recursive=True)]
                return sum(sum(one.cpu_times()[:2]) for one in family)
            except psutil.NoSuchProcess:
                continue
    return total


def metric(session: CDPSession, name: str) -> float:
    """Return one of the page's performance metrics (seconds or bytes)."""
    found = session.send("Performance.getMetrics")["metrics"]
    return float(next(entry["value"] for entry in found if entry["name"] == name))


def watch_bytes(session: CDPSession) -> dict[str, list[tuple[str, float]]]:
    """Return a table, filled while the page lives, of bytes by kind: code and other as sent, feed as data; foreign."""
    kinds: dict[str, str] = {}
    sizes: dict[str, list[tuple[str, float]]] = {"code": [], "other": [], "foreign": [], "feed": []}

    def on_response(event: dict[str, Any]) -> None:
        response = event["response"]
        code = any(part in response["mimeType"] for part in CODE)
        kinds[event["requestId"]] = "code" if code else "other"
        if not response["url"].startswith(("http://127.0.0.1", "data:", "blob:")):
            sizes["foreign"].append((response["url"], 0.0))

    def on_finished(event: dict[str, Any]) -> None:
        sizes[kinds.get(event["requestId"], "other")].append((event["requestId"], event["encodedDataLength"]))

    def on_event(event: dict[str, Any]) -> None:
        sizes["feed"].append((event["eventName"], float(len(event["data"].encode()))))

    session.on("Network.eventSourceMessageReceived", on_event)
    session.on("Network.responseReceived", on_response)
    session.on("Network.loadingFinished", on_finished)
    return sizes


def frames_while_panning(page: Page, seconds: float) -> float:
    """Return the frames a second that the page draws while the map is dragged about."""
    page.evaluate(
        "() => { window.__frames = 0; const tick = () => { window.__frames++; requestAnimationFrame(tick) };"
        " requestAnimationFrame(tick) }"
    )
    page.mouse.move(960, 540)
    page.mouse.down()
    begin = time.perf_counter()
    turn = 0
    while time.perf_counter() - begin < seconds:
        turn += 1
        page.mouse.move(960 + 200 * (turn % 2), 540 + (turn * 7) % 120, steps=8)
    page.mouse.up()
    return float(page.evaluate("window.__frames")) / (time.perf_counter() - begin)


def main(argv: Sequence[str]) -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(prog="cityops bench screen", description=__doc__)
    parser.add_argument("--population", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=120, help="how long the open screen is watched")
    args = parser.parse_args(argv)
    report = Report("screen")
    up = platform("--population", str(args.population), "--seed", str(args.seed))
    with up as running, sync_playwright() as playwright:
        live_roads(running, time.perf_counter() + 300)
        mark = f"--user-agent=cityops-bench-{time.time_ns()}"
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*FLAGS, mark])
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Performance.enable")
        sizes = watch_bytes(session)
        cpu, begin = browser_cpu(mark), time.perf_counter()
        page.goto(running.ioc_url)
        page.wait_for_selector("html[data-map=ready]", timeout=60_000)
        report.add("first map s", time.perf_counter() - begin)
        report.add("first map CPU s", browser_cpu(mark) - cpu, "<= 7")
        report.add("code KB at the first map", sum(size for _, size in sizes["code"]) / 1000, "<= 500")
        page.wait_for_timeout(20_000)  # charts and tiles are there
        session.send("HeapProfiler.collectGarbage")
        heap, script, since = metric(session, "JSHeapUsedSize"), metric(session, "ScriptDuration"), time.perf_counter()
        sizes["feed"].clear()
        page.wait_for_timeout(args.seconds * 1000)
        span = time.perf_counter() - since
        report.add("script ms per second", (metric(session, "ScriptDuration") - script) / span * 1000, "<= 10")
        session.send("HeapProfiler.collectGarbage")
        growth = (metric(session, "JSHeapUsedSize") - heap) / 1e6
        report.add("heap growth MB while watched", growth, "<= 5")
        report.add("feed KB/s", sum(size for _, size in sizes["feed"]) / span / 1000, "<= 25")
        report.add("frames/s while panning, software GL", frames_while_panning(page, 5))
        report.add("requests off the origin", len(sizes["foreign"]), "== 0")
        browser.close()
    return report.finish()
