"""Whether memory stays flat: ten minutes at half the ingest load, resident memory of every process over time."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Sequence

import numpy as np

from bench.ingest import CONTRACT, Warehouse
from bench.load import Tally, http_load
from bench.report import Report
from bench.running import Platform, platform


def load(running: Platform, args: argparse.Namespace) -> Tally:
    """Send at the asked rate until the time is over."""
    import asyncio  # noqa: PLC0415  # the loop belongs to this thread

    settings = running.settings
    return asyncio.run(
        http_load(
            settings.edge_host,
            settings.edge_port,
            CONTRACT,
            seconds=args.seconds,
            devices=args.devices,
            size=100,
            connections=48,
            seed=args.seed,
            rate=args.rate,
        )
    )


def main(argv: Sequence[str]) -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(prog="cityops bench memory", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=float, default=75_000, help="observations a second")
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    report, tallies = Report("memory"), []
    with platform("--no-twin") as running:
        worker = threading.Thread(target=lambda: tallies.append(load(running, args)))
        begin = time.perf_counter()
        worker.start()
        times, sizes = [], []
        while worker.is_alive():
            times.append(time.perf_counter() - begin)
            sizes.append(running.usage().rss / 1e6)
            worker.join(5)
        Warehouse(running).wait_for(tallies[0].acknowledged, 60)
        by_role = running.usage().by_role
        lost, doubled, _ = Warehouse(running).verdict(tallies[0].acknowledged)
    at, size = np.array(times), np.array(sizes)
    settled = at > args.seconds * 0.2  # caches fill first
    slope = float(np.polyfit(at[settled], size[settled], 1)[0]) * 60
    report.add("minutes", args.seconds / 60, ">= 10")
    report.add("observations/s", tallies[0].acknowledged / tallies[0].seconds, f">= {args.rate * 0.95:.0f}")
    report.add("MB after 20 % of the time", float(size[settled][:5].mean()))
    report.add("MB at the end", float(size[-5:].mean()))
    report.add("growth MB/min, last 80 %", slope)
    report.add("growth over the last 80 %, share", float(size[-5:].mean() / size[settled][:5].mean() - 1), "<= 0.1")
    report.add("lost", lost, "== 0")
    report.add("doubled", doubled, "== 0")
    for role, (_, memory) in sorted(by_role.items()):
        report.add(f"{role} MB", memory / 1e6)
    return report.finish()
