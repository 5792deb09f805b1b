"""How fast observations become durable, checked rows with rollups: over HTTP in batches and over MQTT one by one.

Baselines of the same run: django-ogc-sensorthings on PostgreSQL, and the bare broker with a bare consumer.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import clickhouse_connect
import nats
import nats.errors
from nats.js.api import AckPolicy, ConsumerConfig

from bench.load import Tally, http_load, mqtt_load
from bench.peer_sensorthings import run as run_peer
from bench.report import Report
from bench.running import Platform, platform
from cityops.runtime.ports import free_port

TABLE = "cityops.traffic_flow_observed"
CONTRACT = "TrafficFlowObserved"


class Warehouse:
    """Counts in the warehouse of the platform under test, asked as any ClickHouse client would."""

    def __init__(self, platform_: Platform) -> None:
        self.client = clickhouse_connect.get_client(dsn=platform_.settings.warehouse_url)

    def number(self, sql: str) -> int:
        """Return the one number that `sql` asks for."""
        return int(self.client.query(sql).result_rows[0][0] or 0)

    def rows(self) -> int:
        """Return the rows stored."""
        return self.number(f"SELECT count() FROM {TABLE}")

    def wait_for(self, rows: int, limit_s: float) -> float:
        """Return the seconds until `rows` are stored; gives up after `limit_s`."""
        begin = time.perf_counter()
        while time.perf_counter() - begin < limit_s and self.rows() < rows:
            time.sleep(0.1)
        return time.perf_counter() - begin

    def verdict(self, acknowledged: int) -> tuple[int, int, int]:
        """Return (lost, doubled, rows the one-minute rollup misses) against `acknowledged` rows."""
        rows = self.rows()
        distinct = self.number(f"SELECT uniqExact(detector_id, observed_at) FROM {TABLE}")
        rolled = self.number(f"SELECT sum(n) FROM {TABLE}_1m")
        return max(acknowledged - distinct, 0), rows - distinct, abs(rows - rolled)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of `values` lie."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else float("nan")


def http(args: argparse.Namespace, report: Report) -> float:
    """Measure HTTP batches end to end; returns observations a second, first byte sent to last row stored."""
    with platform("--no-twin") as running:
        warehouse = Warehouse(running)
        asyncio.run(load_http(running, args, seconds=3))  # connections, caches and imports warm
        warm = warehouse.rows()
        warehouse.wait_for(warm, 5)
        time.sleep(2)
        before, cpu = warehouse.rows(), running.usage()
        tally = asyncio.run(load_http(running, args, seconds=args.seconds))
        drain = warehouse.wait_for(before + tally.acknowledged, 120)
        used = running.usage()
        lost, doubled, unrolled = warehouse.verdict(before + tally.acknowledged)
        rate = tally.acknowledged / (tally.seconds + drain)
        report.add("http observations/s", rate, ">= 150000")
        report.add("http seconds sustained", tally.seconds, f">= {min(args.seconds, 60)}")
        report.add("http drain s", drain)
        report.add("http answer p50 ms", percentile(tally.latencies_ms, 0.5))
        report.add("http answer p99 ms", percentile(tally.latencies_ms, 0.99))
        report.add("http refused", tally.refused, "== 0")
        report.add("http lost", lost, "== 0")
        report.add("http doubled", doubled, "== 0")
        report.add("http rows missing in rollups", unrolled, "== 0")
        report.add("http platform cores", (used.cpu_s - cpu.cpu_s) / (tally.seconds + drain))
        for role, (seconds, memory) in sorted(used.by_role.items()):
            spent = seconds - cpu.by_role.get(role, (0.0, 0))[0]
            report.add(f"http {role} cores / MB", f"{spent / (tally.seconds + drain):.2f} / {memory / 1e6:.0f}")
        return rate


async def load_http(running: Platform, args: argparse.Namespace, seconds: float) -> Tally:
    """Run the HTTP generator against the platform's edge."""
    settings = running.settings
    return await http_load(
        settings.edge_host,
        settings.edge_port,
        CONTRACT,
        seconds=seconds,
        devices=args.devices,
        size=args.batch,
        connections=args.connections,
        seed=args.seed,
    )


def mqtt(args: argparse.Namespace, report: Report) -> None:
    """Measure single observations over MQTT against the bare broker with a bare consumer, in turn, several times."""
    ours, bare = [], []
    with platform("--no-twin") as running:
        warehouse = Warehouse(running)
        settings = running.settings
        acknowledged = 0
        for round_ in range(args.rounds):
            bare.append(bare_broker(args))
            tally = asyncio.run(
                mqtt_load(
                    settings.mqtt_host,
                    settings.mqtt_port,
                    CONTRACT,
                    devices=args.devices,
                    messages=args.messages,
                    seed=args.seed + round_,
                )
            )
            acknowledged += tally.acknowledged
            ours.append(tally.acknowledged / (tally.seconds + warehouse.wait_for(acknowledged, 60)))
        lost, doubled, unrolled = warehouse.verdict(acknowledged)
    report.add("mqtt messages/s", statistics.median(ours), ">= 8000")
    report.add("mqtt messages/s min–max", f"{min(ours):.0f}–{max(ours):.0f}")
    report.add("bare broker messages/s", statistics.median(bare))
    report.add("mqtt ÷ bare broker", statistics.median(o / b for o, b in zip(ours, bare, strict=True)), ">= 0.5")
    report.add("mqtt lost", lost, "== 0")
    report.add("mqtt doubled", doubled, "== 0")
    report.add("mqtt rows missing in rollups", unrolled, "== 0")


def bare_broker(args: argparse.Namespace) -> float:
    """Return messages a second of the same broker with no platform: the same devices, one consumer that only counts."""
    with tempfile.TemporaryDirectory(prefix="cityops-bare-") as folder:
        port, mqtt_port = free_port(), free_port()
        config = Path(folder, "nats.conf")
        config.write_text(
            f'listen: "127.0.0.1:{port}"\nserver_name: bare\njetstream {{ store_dir: "{folder}/js" }}\n'
            f"mqtt {{ host: 127.0.0.1, port: {mqtt_port} }}\n"
        )
        child = subprocess.Popen(
            [str(Path(sys.executable).with_name("nats-server")), "-c", str(config), "-l", f"{folder}/log"]
        )
        try:
            return asyncio.run(count_bare(port, mqtt_port, args))
        finally:
            child.terminate()
            child.wait(20)


async def count_bare(port: int, mqtt_port: int, args: argparse.Namespace) -> float:
    """Return messages a second that the same generator published and one pull consumer received and acknowledged."""
    client = None
    while client is None:
        try:
            client = await nats.connect(f"nats://127.0.0.1:{port}", allow_reconnect=False, connect_timeout=1)
        except (OSError, nats.errors.Error):
            await asyncio.sleep(0.05)
    await mqtt_load(
        "127.0.0.1", mqtt_port, CONTRACT, devices=1, messages=0, seed=0
    )  # the first session makes the stream
    stream = client.jetstream()
    config = ConsumerConfig(ack_policy=AckPolicy.ALL, max_ack_pending=-1)
    subscription = await stream.pull_subscribe("$MQTT.msgs.>", durable="bare", stream="$MQTT_msgs", config=config)
    expected = args.messages // args.devices * args.devices
    begin = time.perf_counter()

    async def consume() -> None:
        received = 0
        while received < expected:
            try:
                messages = await subscription.fetch(500, timeout=2)
            except nats.errors.TimeoutError:
                continue
            received += len(messages)
            await messages[-1].ack()

    consumer = asyncio.create_task(consume())
    await mqtt_load("127.0.0.1", mqtt_port, CONTRACT, devices=args.devices, messages=args.messages, seed=args.seed)
    await consumer
    seconds = time.perf_counter() - begin
    await client.close()
    return float(expected / seconds)


def peer(args: argparse.Namespace, report: Report) -> float:
    """Return the peer's observations a second on the platform's own kind of PostgreSQL."""
    with platform("--no-twin") as running:  # idle but for its PostgreSQL, which is the peer's too
        url = running.settings.postgres_url
        rate = run_peer(url, seconds=args.peer_seconds, size=args.batch, connections=8, port=free_port())
    report.add("peer django-ogc-sensorthings observations/s", rate)
    return rate


def main(argv: Sequence[str]) -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(prog="cityops bench ingest", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long HTTP batches are sent")
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=100, help="observations a request")
    parser.add_argument("--connections", type=int, default=48)
    parser.add_argument("--messages", type=int, default=200_000, help="MQTT messages a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("http", "mqtt"), help="measure one of the two; the verdict then stays open")
    args = parser.parse_args(argv)
    report = Report("ingest")
    if args.only != "mqtt":
        reference = peer(args, report)
        report.add("http ÷ peer", http(args, report) / reference, ">= 30")
    if args.only != "http":
        mqtt(args, report)
    if args.only:
        report.targets["complete run"] = "== 1"
    return report.finish()
