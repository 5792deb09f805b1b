"""`clickhouse-connect` works unchanged: blocking, async, DB-API, SQLAlchemy; Native and Arrow, both ways."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import clickhouse_connect
import pyarrow as pa
import pytest
import sqlalchemy
from clickhouse_connect import dbapi
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError
from clickhouse_connect.driver.external import ExternalData
from tests.data.warehouse.serving import Served

pytestmark = pytest.mark.engine

COLUMNS = {
    "id": "UInt64",
    "name": "LowCardinality(String)",
    "at": "DateTime64(3, 'UTC')",
    "day": "Date",
    "value": "Nullable(Float64)",
    "price": "Decimal(18, 2)",
    "tags": "Array(String)",
    "flag": "Bool",
    "key": "UUID",
    "extra": "Map(String, Int32)",
}
NOON = dt.datetime(2024, 5, 6, 12, 0, 0, 123000, tzinfo=dt.UTC)
EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)
AS_READ = {NOON: NOON.replace(tzinfo=None), EPOCH: EPOCH.replace(tzinfo=None)}  # the driver leaves UTC out
ROWS = [
    [1, "北京", NOON, NOON.date(), None, Decimal("1.50"), ["a'b", ""], True, uuid.UUID(int=7), {"x": 1}],
    [2, "b\t\n\\", EPOCH, EPOCH.date(), -2.5, Decimal("0.00"), [], False, uuid.UUID(int=0), {}],
]


@pytest.fixture
def client(served: Served, database: str) -> Iterator[Any]:
    with clickhouse_connect.get_client(host="127.0.0.1", port=served.port, database=database) as found:
        yield found


@pytest.fixture
def table(client: Any) -> str:
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    client.command(f"CREATE TABLE t ({columns}) ENGINE = MergeTree ORDER BY id")
    return "t"


def test_the_handshake_learns_version_zone_and_settings(client: Any) -> None:
    assert client.server_version.split(".")[0].isdigit()
    assert str(client.server_tz) in {"UTC", "Etc/UTC"}
    assert client.get_client_setting("date_time_input_format") == "best_effort"
    assert client.ping()


def test_rows_of_all_types_go_in_and_come_out_natively(client: Any, table: str) -> None:
    summary = client.insert(table, ROWS, column_names=list(COLUMNS))

    result = client.query(f"SELECT * FROM {table} ORDER BY id")
    assert summary.written_rows == 2
    assert [list(row) for row in result.result_rows] == [
        [AS_READ.get(v, v) if isinstance(v, dt.datetime) else v for v in row] for row in ROWS
    ]
    assert list(result.column_names) == list(COLUMNS)


def test_columns_of_an_empty_answer_are_known(client: Any, table: str) -> None:
    assert list(client.query(f"SELECT id, name FROM {table} LIMIT 0").column_names) == ["id", "name"]
    assert client.query(f"SELECT id FROM {table}").result_rows == []


@pytest.mark.parametrize("compress", ["lz4", "zstd", "gzip", False])
def test_every_compression_works_both_ways(served: Served, database: str, compress: str | bool) -> None:
    with clickhouse_connect.get_client(
        host="127.0.0.1", port=served.port, database=database, compress=compress
    ) as client:
        client.command("CREATE TABLE packed (n UInt64, s String) ENGINE = MergeTree ORDER BY n")
        client.insert("packed", [[n, f"row {n % 7}"] for n in range(200_000)], column_names=["n", "s"])

        found = client.query("SELECT * FROM packed ORDER BY n")

        assert found.result_rows[199_999] == (199_999, "row 2")
        assert client.query_arrow("SELECT count() AS n FROM packed")["n"].to_pylist() == [200_000]


def test_arrow_goes_in_and_comes_out(client: Any) -> None:
    client.command("CREATE TABLE a (n UInt32, s String, t DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY n")
    count = 150_000
    rows = pa.table(
        {
            "n": pa.array(range(count), pa.uint32()),
            "s": pa.array(["x"] * count),
            "t": pa.array(range(count), pa.timestamp("ms", "UTC")),
        }
    )

    client.insert_arrow("a", rows)

    found = client.query_arrow("SELECT * FROM a ORDER BY n", use_strings=True)
    assert found.num_rows == count
    assert found["t"].cast(pa.timestamp("ms", "UTC")).equals(rows["t"])
    with client.query_arrow_stream("SELECT * FROM a") as batches:
        assert sum(batch.num_rows for batch in batches) == count


def test_values_are_bound_by_the_server(client: Any) -> None:
    values = {
        "text": "it's \\ \t 'x'\n",
        "at": NOON,
        "list": ["a'b", "c\\d"],
        "nothing": None,
    }
    places = "{text:String}, {at:DateTime64(3, 'UTC')}, {list:Array(String)}, {nothing:Nullable(String)}"

    (row,) = client.query(f"SELECT {places}", parameters=values).result_rows

    assert row == (values["text"], AS_READ[NOON], values["list"], None)


def test_large_bound_values_come_as_a_form(served: Served) -> None:
    with clickhouse_connect.get_client(host="127.0.0.1", port=served.port, form_encode_query_params=True) as client:
        found = client.query("SELECT length({text:String})", parameters={"text": "x" * 300_000})
        assert found.first_row == (300_000,)


def test_rows_beside_the_query_are_a_table(client: Any) -> None:
    ids = ExternalData(file_name="ids", fmt="CSV", structure=["id UInt32", "name String"], data=b"3,c\n5,e\n")

    found = client.query(
        "SELECT name FROM numbers(10) AS n JOIN ids AS i ON n.number = i.id ORDER BY id", external_data=ids
    )

    assert [name for (name,) in found.result_rows] == ["c", "e"]


def test_row_blocks_stream(client: Any) -> None:
    with client.query_row_block_stream("SELECT number FROM numbers(1000000)") as blocks:
        assert sum(len(block) for block in blocks) == 1_000_000


def test_errors_have_code_and_name(client: Any) -> None:
    with pytest.raises(DatabaseError, match="UNKNOWN_IDENTIFIER") as caught:
        client.query("SELECT nope")
    assert (caught.value.code, caught.value.name) == (47, "UNKNOWN_IDENTIFIER")


def test_an_error_amid_a_stream_is_raised(client: Any) -> None:
    with (
        pytest.raises(StreamFailureError, match="FUNCTION_THROW_IF"),
        client.query_row_block_stream("SELECT throwIf(number = 3000000) FROM numbers(4000000)") as blocks,
    ):
        for _ in blocks:
            pass


def test_settings_and_temporary_tables_last_as_long_as_the_client(served: Served, client: Any) -> None:
    client.command("CREATE TEMPORARY TABLE mine (a UInt8)")
    client.insert("mine", [[5]], column_names=["a"], column_type_names=["UInt8"])
    assert client.query("SELECT a FROM mine").first_row == (5,)
    with clickhouse_connect.get_client(host="127.0.0.1", port=served.port) as other, pytest.raises(DatabaseError):
        other.query("SELECT a FROM mine")


async def test_the_async_client_works(served: Served, database: str) -> None:
    pytest.importorskip("aiohttp")
    async with await clickhouse_connect.get_async_client(
        host="127.0.0.1", port=served.port, database=database
    ) as client:
        await client.command("CREATE TABLE t (a UInt32, s String) ENGINE = MergeTree ORDER BY a")
        await client.insert("t", [[n, "x"] for n in range(1000)], column_names=["a", "s"])
        await client.insert_arrow("t", pa.table({"a": pa.array([1000], pa.uint32()), "s": ["y"]}))

        assert (await client.query("SELECT count() FROM t")).first_row == (1001,)
        assert (await client.query_arrow("SELECT max(a) AS a FROM t"))["a"].to_pylist() == [1000]
        async with await client.query_rows_stream("SELECT number FROM numbers(200000)") as rows:
            assert sum([1 async for _ in rows]) == 200_000
        with pytest.raises(DatabaseError):
            await client.query("SELECT nope")


def test_dbapi_works(served: Served, database: str) -> None:
    connection = dbapi.connect(host="127.0.0.1", port=served.port, database=database)
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t (a UInt8, s String) ENGINE = MergeTree ORDER BY a")
    cursor.executemany("INSERT INTO t (a, s) VALUES", [(1, "x"), (2, "y")])
    cursor.execute("SELECT a, s FROM t WHERE a > %(a)s ORDER BY a", {"a": 0})

    assert cursor.fetchall() == [(1, "x"), (2, "y")]
    assert [column[0] for column in cursor.description] == ["a", "s"]
    connection.close()


def test_sqlalchemy_works(served: Served, database: str) -> None:
    engine = sqlalchemy.create_engine(f"clickhousedb://127.0.0.1:{served.port}/{database}")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE t (a UInt8, s String) ENGINE = MergeTree ORDER BY a"))
        connection.execute(sqlalchemy.text("INSERT INTO t VALUES (1, 'x')"))
        assert connection.execute(sqlalchemy.text("SELECT s FROM t WHERE a = :a"), {"a": 1}).scalar() == "x"
    inspector = sqlalchemy.inspect(engine)
    assert inspector.get_table_names() == ["t"]
    assert [column["name"] for column in inspector.get_columns("t")] == ["a", "s"]


def test_pandas_is_not_needed(served: Served) -> None:
    program = f"""
import sys
sys.modules["pandas"] = None
import clickhouse_connect
client = clickhouse_connect.get_client(host="127.0.0.1", port={served.port})
assert client.query("SELECT 1").result_rows == [(1,)]
assert client.query_arrow("SELECT 1 AS a").to_pylist() == [{{"a": 1}}]
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
