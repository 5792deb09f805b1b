"""What happens to data when the warehouse is killed, stopped or has no room."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow as pa
import pytest
from tests.data.warehouse.serving import Served, serving
from tests.engines import until

from cityops.data.warehouse.client import Warehouse, WarehouseError, WarehouseFull, WarehouseUnavailable

pytestmark = [pytest.mark.engine, pytest.mark.fault]

TABLE = """CREATE TABLE t (writer UInt8, n UInt64) ENGINE = MergeTree ORDER BY (writer, n)
SETTINGS fsync_after_insert = 1, non_replicated_deduplication_window = 10000"""
BATCH = 500


def batch(writer: int, number: int) -> pa.Table:
    first = number * BATCH
    return pa.table(
        {"writer": pa.array([writer] * BATCH, pa.uint8()), "n": pa.array(range(first, first + BATCH), pa.uint64())}
    )


def write_until_it_fails(url: str, writer: int, acknowledged: list[int]) -> None:
    with Warehouse(url) as warehouse:
        for number in range(100_000):
            try:
                warehouse.insert("t", batch(writer, number), token=f"{writer}-{number}")
            except WarehouseUnavailable:
                return
            acknowledged[writer] = number + 1


def test_kill_9_loses_no_acknowledged_insert_and_a_retry_doubles_none(tmp_path: Path) -> None:
    writers = 3
    acknowledged = [0] * writers
    for _ in range(2):
        with serving(tmp_path / "w") as served:
            served.ask(TABLE.replace("TABLE t", "TABLE IF NOT EXISTS t"))
            before = list(acknowledged)
            threads = [
                threading.Thread(target=write_until_it_fails, args=(served.url, w, acknowledged))
                for w in range(writers)
            ]
            for thread in threads:
                thread.start()
            until(lambda: min(acknowledged) >= min(before) + 20, seconds=60)  # noqa: B023  # ends in this turn
            served.kill()
            for thread in threads:
                thread.join()
    with serving(tmp_path / "w") as served:
        for writer, count in enumerate(acknowledged):
            for number in (count - 1, count):  # the last one acknowledged, and the one whose fate is unknown
                served.warehouse.insert("t", batch(writer, number), token=f"{writer}-{number}")
        found = served.warehouse.query("SELECT writer, count() AS rows, uniqExact(n) AS unique FROM t GROUP BY writer")

    expected = {writer: (count + 1) * BATCH for writer, count in enumerate(acknowledged)}
    assert {row["writer"]: row["rows"] for row in found.to_pylist()} == expected
    assert {row["writer"]: row["unique"] for row in found.to_pylist()} == expected


def test_sigterm_lets_a_running_insert_end_and_ends_queries(tmp_path: Path) -> None:
    with serving(tmp_path / "w") as served:
        served.ask("CREATE TABLE t (a UInt64, b UInt8 DEFAULT sleepEachRow(0.5)) ENGINE = MergeTree ORDER BY a")
        answers: dict[str, httpx.Response] = {}

        def send(name: str, sql: str) -> None:
            answers[name] = httpx.post(served.url, content=sql, timeout=60)

        threads = [
            threading.Thread(target=send, args=("insert", "INSERT INTO t (a) VALUES (1), (2), (3), (4)")),
            threading.Thread(
                target=send, args=("query", "SELECT sum(sipHash64(number)) AS endless FROM numbers(1000000000000)")
            ),
        ]
        for thread in threads:
            thread.start()
        until(lambda: served.running("INSERT INTO t") and served.running("endless"))
        began = time.monotonic()
        served.stop()
        for thread in threads:
            thread.join()
        assert time.monotonic() - began < 15
    assert answers["insert"].status_code == 200
    assert "QUERY_WAS_CANCELLED" in answers["query"].text
    with serving(tmp_path / "w") as served:
        assert served.ask("SELECT count() FROM t") == "4\n"


def test_a_second_process_on_the_folder_says_why_it_cannot_start(tmp_path: Path) -> None:
    with serving(tmp_path / "w"):
        second = Served(tmp_path / "w", 1, {})
        try:
            assert second.process.wait(30) != 0
            assert second.process.stderr is not None
            assert "another" in second.process.stderr.read().decode().lower()
        finally:
            second.http.close()
            if second.process.poll() is None:
                second.kill()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_said_loses_nothing_acknowledged_and_heals(small_disk: Path) -> None:
    with serving(small_disk / "w") as served:
        served.ask("CREATE TABLE t (n UInt64, x UInt64 CODEC(NONE)) ENGINE = MergeTree ORDER BY n")
        rows = pa.table({"n": pa.array(range(200_000), pa.uint64()), "x": pa.array(range(200_000), pa.uint64())})
        acknowledged = 0

        def fill() -> None:
            nonlocal acknowledged
            while acknowledged < 100:
                served.warehouse.insert("t", rows)
                acknowledged += 1

        with pytest.raises(WarehouseFull):
            fill()
        assert acknowledged > 3
        assert served.ask("SELECT count() FROM t") == f"{acknowledged * 200_000}\n"

        served.ask("TRUNCATE TABLE t SYNC")

        def written() -> bool:
            try:
                return served.warehouse.insert("t", rows) > 0
            except WarehouseError:
                return False

        until(written)
        assert served.ask("SELECT count() FROM t") == "200000\n"
        assert served.stop() in {0, -signal.SIGTERM}
