"""How long from a device's publish to the screen's feed while thousands of other messages a second arrive."""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
import paho.mqtt.client as paho  # a device nobody here wrote
from paho.mqtt.enums import CallbackAPIVersion

from bench.ingest import CONTRACT, percentile
from bench.load import mqtt_load
from bench.report import Report
from bench.running import Platform, platform


async def watch(url: str, seen: dict[str, float], stop: asyncio.Event) -> int:
    """Read the feed as a screen does and note when each probe's own mark arrives; returns the bytes read."""
    size = 0
    async with httpx.AsyncClient(timeout=None) as client, client.stream("GET", f"{url}/v1/feed?topics=units") as answer:
        buffer = ""
        async for text in answer.aiter_text():
            now = time.perf_counter()
            size += len(text)
            buffer += text
            *events, buffer = buffer.split("\n\n")
            for event in events:
                data = next((line[5:] for line in event.splitlines() if line.startswith("data:")), None)
                if data is None or "latency-" not in data:
                    continue
                for row in json.loads(data).get("set", []):
                    if str(row[0]).startswith("latency-"):
                        seen.setdefault(str(row[0]), now)
            if stop.is_set():
                return size
    return size


async def probe(running: Platform, args: argparse.Namespace) -> list[float]:
    """Return the milliseconds from publish to feed of probes sent while the load runs, inf for those never seen."""

    settings, seen, sent, stop = running.settings, dict[str, float](), dict[str, float](), asyncio.Event()
    run = time.time_ns() % 10**9
    reader = asyncio.create_task(watch(running.ioc_url, seen, stop))
    device = paho.Client(CallbackAPIVersion.VERSION2, client_id="latency-probe")
    device.connect(settings.mqtt_host, settings.mqtt_port)
    device.loop_start()
    await asyncio.sleep(3)
    for turn in range(args.probes):
        name = f"latency-{run}-{turn:05d}"
        row = {
            "unit_id": name,
            "observed_at": datetime.now(UTC).isoformat(),
            "kind": "crew",
            "speed": 5.0,
            "heading": 90.0,
            "location": {"type": "Point", "coordinates": [114.3 + turn * 1e-4, 30.6]},
        }
        sent[name] = time.perf_counter()
        device.publish("cityops/UnitPosition/latency", json.dumps(row), qos=1)
        await asyncio.sleep(args.seconds / args.probes)
    await asyncio.sleep(3)
    stop.set()
    device.disconnect()
    device.loop_stop()
    await asyncio.wait_for(reader, 10)
    return [(seen[name] - at) * 1000 if name in seen else float("inf") for name, at in sent.items()]


def main(argv: Sequence[str]) -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(prog="cityops bench latency", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=5000, help="messages a second from other devices")
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--probes", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    report = Report("latency")
    with platform("--no-twin") as running:
        settings = running.settings
        tallies = []
        messages = int(args.rate * (args.seconds + 6))

        def load() -> None:
            tallies.append(
                asyncio.run(
                    mqtt_load(
                        settings.mqtt_host,
                        settings.mqtt_port,
                        CONTRACT,
                        devices=args.devices,
                        messages=messages,
                        seed=args.seed,
                        rate=args.rate,
                    )
                )
            )

        idle = asyncio.run(probe(running, argparse.Namespace(seconds=10, probes=50)))
        worker = threading.Thread(target=load)
        worker.start()
        busy = asyncio.run(probe(running, args))
        worker.join()
    tally = tallies[0]
    report.add("other messages/s", tally.acknowledged / tally.seconds, f">= {args.rate * 0.95:.0f}")
    report.add("idle p50 ms", percentile(idle, 0.5))
    report.add("p50 ms", percentile(busy, 0.5), "<= 300")
    report.add("p99 ms", percentile(busy, 0.99), "<= 1000")
    report.add("max ms", max(busy))
    report.add("p50 loaded ÷ idle", percentile(busy, 0.5) / percentile(idle, 0.5))
    report.add("probes", len(busy))
    report.add("probes never seen", sum(1 for ms in busy if ms == float("inf")), "== 0")
    return report.finish()
