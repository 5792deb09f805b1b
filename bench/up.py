"""From `cityops up` in an empty folder to a live map, and what the demo city costs while it runs in real time."""

from __future__ import annotations

import argparse
import json
import time
import urllib.request
from collections.abc import Sequence

from bench.report import Report
from bench.running import Platform, platform


def live_roads(running: Platform, deadline: float) -> tuple[float, int]:
    """Return when (perf_counter) roads first had a level of service, and how many. Raises TimeoutError."""
    while time.perf_counter() < deadline:
        try:
            with urllib.request.urlopen(f"{running.ioc_url}/v1/feed?topics=traffic.links", timeout=30) as feed:
                for line in feed:
                    if line.startswith(b"data:"):
                        pairs = json.loads(line[5:]).get("set", [])
                        known = sum(1 for level in pairs[1::2] if level)
                        if known:
                            return time.perf_counter(), known
                    if time.perf_counter() > deadline:
                        break
        except OSError:
            time.sleep(0.3)
    raise TimeoutError("no road with a level of service in the feed")


def main(argv: Sequence[str]) -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(prog="cityops bench up", description=__doc__)
    parser.add_argument("--population", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=180, help="how long the running city is watched")
    args = parser.parse_args(argv)
    report = Report("up")
    begin = time.perf_counter()
    with platform("--population", str(args.population), "--seed", str(args.seed)) as running:
        at, roads = live_roads(running, begin + 300)
        report.add("seconds to a live map", at - begin, "<= 60")
        report.add("roads with a level of service at first", roads)
        report.add("seconds to a healthy platform", running.started_s)
        time.sleep(30)  # the start's own work is over
        before, since = running.usage(), time.perf_counter()
        peak = before.rss
        while time.perf_counter() - since < args.seconds:
            time.sleep(5)
            peak = max(peak, running.usage().rss)
        after, span = running.usage(), time.perf_counter() - since
        report.add("population", args.population)
        report.add("cores", (after.cpu_s - before.cpu_s) / span, "<= 1.5")
        report.add("GB, peak", peak / 1e9, "<= 4")
        for role, (seconds, memory) in sorted(after.by_role.items()):
            spent = seconds - before.by_role.get(role, (0.0, 0))[0]
            report.add(f"{role} cores / MB", f"{spent / span:.3f} / {memory / 1e6:.0f}")
    return report.finish()
