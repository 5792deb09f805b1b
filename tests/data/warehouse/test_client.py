"""The platform's own client: Arrow tables in and out, tokens, typed errors."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from tests.data.warehouse.serving import Served, free_port, serving

from cityops.data.warehouse.client import AsyncWarehouse, Warehouse, WarehouseError, WarehouseUnavailable

pytestmark = pytest.mark.engine

DEDUPLICATED = "SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1"


@pytest.fixture
def warehouse(served: Served, database: str) -> Iterator[Warehouse]:
    with Warehouse(f"{served.url}/{database}") as found:
        yield found


@pytest.fixture
def tables(warehouse: Warehouse) -> None:
    columns = "id LowCardinality(String), at DateTime64(3, 'UTC'), v Nullable(Float64)"
    sums = "id LowCardinality(String), n SimpleAggregateFunction(sum, UInt64)"
    for sql in (
        f"CREATE TABLE t ({columns}) ENGINE = MergeTree ORDER BY (id, at) {DEDUPLICATED}",
        f"CREATE TABLE sums ({sums}) ENGINE = AggregatingMergeTree ORDER BY id {DEDUPLICATED}",
        "CREATE MATERIALIZED VIEW mv TO sums AS SELECT id, count() AS n FROM t GROUP BY id",
    ):
        warehouse.command(sql)


def rows(count: int, first: int = 0) -> pa.Table:
    return pa.table(
        {
            "id": [f"d{n % 10}" for n in range(count)],
            "at": pa.array(range(first, first + count), pa.timestamp("ms", "UTC")),
            "v": pa.array([None if n % 7 == 0 else float(n) for n in range(count)]),
        }
    )


def count(warehouse: Warehouse) -> tuple[object, object]:
    return warehouse.command("SELECT count() FROM t"), warehouse.command("SELECT sum(n) FROM sums")


@pytest.mark.usefixtures("tables")
def test_rows_go_in_and_come_out_as_arrow(warehouse: Warehouse) -> None:
    sent = rows(1000)

    assert warehouse.insert("t", sent) == 1000

    found = warehouse.query("SELECT id, at, v FROM t ORDER BY at")
    assert found.cast(sent.schema).equals(sent)
    assert sum(batch.num_rows for batch in warehouse.stream("SELECT * FROM t")) == 1000


@pytest.mark.usefixtures("tables")
def test_an_insert_with_a_token_counts_once_in_table_and_views(warehouse: Warehouse) -> None:
    for _ in range(3):
        warehouse.insert("t", rows(300_000), token="a")
    assert count(warehouse) == (300_000, 300_000)

    warehouse.insert("t", rows(300_000), token="b")
    assert count(warehouse) == (600_000, 600_000)


@pytest.mark.usefixtures("tables")
def test_a_large_insert_is_one_part(warehouse: Warehouse) -> None:
    warehouse.insert("t", rows(500_000), token="large")

    parts = "SELECT count() FROM system.parts WHERE database = currentDatabase() AND table = 't' AND level = 0"
    assert warehouse.command(parts) == 1


def test_values_are_bound(warehouse: Warehouse) -> None:
    at = dt.datetime(2024, 1, 2, 3, 4, 5, 678000, tzinfo=dt.timezone(dt.timedelta(hours=8)))

    found = warehouse.query("SELECT {at:DateTime64(3, 'UTC')} AS at, {s:String} AS s", {"at": at, "s": "it's"})

    assert found.to_pylist() == [{"at": at, "s": "it's"}]


@pytest.mark.usefixtures("tables")
def test_what_the_warehouse_refuses_is_a_warehouse_error_with_its_code(warehouse: Warehouse) -> None:
    for attempt, name in (
        (lambda: warehouse.query("SELECT nope"), "UNKNOWN_IDENTIFIER"),
        (lambda: warehouse.command("SELECT nope"), "UNKNOWN_IDENTIFIER"),
        (lambda: warehouse.insert("nowhere", rows(1)), "UNKNOWN_TABLE"),
        (lambda: warehouse.insert("t", rows(1).rename_columns(["id", "at", "w"])), "NO_SUCH_COLUMN_IN_TABLE"),
        (lambda: warehouse.query("SELECT groupArray(number) FROM numbers(1000000000)"), "MEMORY_LIMIT_EXCEEDED"),
        (lambda: list(warehouse.stream("SELECT throwIf(number = 3e6) FROM numbers(4000000)")), "FUNCTION_THROW_IF"),
    ):
        with pytest.raises(WarehouseError, match=name) as caught:
            attempt()
        assert caught.type is WarehouseError
        assert caught.value.code > 0


def test_nobody_there_is_unavailable() -> None:
    with Warehouse(f"http://user:pass@127.0.0.1:{free_port()}") as warehouse:
        assert not warehouse.ping()
        with pytest.raises(WarehouseUnavailable):
            warehouse.query("SELECT 1")
        with pytest.raises(WarehouseUnavailable, match=r"did not answer within 0.2 s") as caught:
            warehouse.wait_until_ready(0.2)
    assert "pass" not in str(caught.value).split(":", 2)[1]


def test_one_waits_for_a_warehouse_that_starts_and_goes_on_after_it_comes_back(tmp_path: Path) -> None:
    port = free_port()
    with Warehouse(f"http://127.0.0.1:{port}") as warehouse:
        waiting = threading.Thread(target=warehouse.wait_until_ready, args=(30,))
        waiting.start()
        with serving(tmp_path / "w", port=port) as first:
            waiting.join(30)
            assert warehouse.command("SELECT 1") == 1
            first.kill()
            with pytest.raises(WarehouseUnavailable):
                warehouse.query("SELECT 1")
        with serving(tmp_path / "w", port=port):
            assert warehouse.command("SELECT 2") == 2


async def test_event_loops_have_a_client_too(served: Served, database: str) -> None:
    warehouse = AsyncWarehouse(f"{served.url}/{database}")
    await warehouse.wait_until_ready()
    await warehouse.command("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
    await warehouse.insert("t", pa.table({"a": pa.array([1, 2], pa.uint8())}), token="x")

    assert (await warehouse.query("SELECT sum(a) AS n FROM t WHERE a > {a:UInt8}", {"a": 1})).to_pylist() == [{"n": 2}]
    await warehouse.close()


def test_many_threads_share_one_client(warehouse: Warehouse) -> None:
    found: list[object] = []

    def ask() -> None:
        found.extend(warehouse.command(f"SELECT {n}") for n in range(20))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(str(n) for n in found) == sorted(str(n) for n in list(range(20)) * 8)
    assert time.monotonic() - began < 30
