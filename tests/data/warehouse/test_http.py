"""ClickHouse's HTTP protocol as curl and BI tools speak it, against the real server."""

from __future__ import annotations

import asyncio
import gzip
import json
import signal
import socket
import threading
from pathlib import Path

import httpx
import psutil
import pyarrow as pa
import pytest
from tests.data.warehouse.serving import Served, serving
from tests.engines import until, until_async

pytestmark = pytest.mark.engine

LONG = "SELECT sum(sipHash64(number)) FROM numbers(100000000000)"


@pytest.mark.parametrize("path", ["/ping", "/replicas_status", "/"])
def test_health_checks_say_ok(served: Served, path: str) -> None:
    answer = served.http.get(path)

    assert (answer.status_code, answer.text) == (200, "Ok.\n")


def test_an_unknown_path_says_what_there_is(served: Served) -> None:
    answer = served.http.get("/dashboards")

    assert answer.status_code == 404
    assert "There is no handle /dashboards" in answer.text


def test_a_query_may_stand_in_the_url_the_body_or_both(served: Served) -> None:
    assert served.http.get("/", params={"query": "SELECT 1"}).text == "1\n"
    assert served.http.post("/", content="SELECT 2").text == "2\n"
    assert served.http.post("/", params={"query": "SELECT"}, content="3").text == "3\n"


def test_the_answer_carries_clickhouse_headers(served: Served) -> None:
    answer = served.http.post(
        "/", params={"query_id": "q-1"}, content="SELECT number FROM numbers(10) FORMAT JSONEachRow"
    )

    assert answer.headers["x-clickhouse-format"] == "JSONEachRow"
    assert answer.headers["x-clickhouse-query-id"] == "q-1"
    assert answer.headers["x-clickhouse-timezone"] == "UTC"
    assert json.loads(answer.headers["x-clickhouse-summary"])["read_rows"] == "10"


@pytest.mark.parametrize(
    ("sql", "status", "code", "name"),
    [
        ("SELEC 1", 400, 62, "SYNTAX_ERROR"),
        ("SELECT 1; SELECT 2", 400, 62, "SYNTAX_ERROR"),
        ("SHOW TABLES; SHOW TABLES", 400, 62, "SYNTAX_ERROR"),
        ("SELECT nope", 404, 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT * FROM nowhere", 404, 60, "UNKNOWN_TABLE"),
        ("SELECT 1 FORMAT Nope", 404, 73, "UNKNOWN_FORMAT"),
        ("SELECT nope FORMAT JSON", 404, 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT throwIf(number = 5) FROM numbers(10) FORMAT Parquet", 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("SELECT {x:UInt8}", 500, 456, "UNKNOWN_QUERY_PARAMETER"),
    ],
)
def test_errors_come_as_clickhouse_gives_them(served: Served, sql: str, status: int, code: int, name: str) -> None:
    answer = served.http.post("/", content=sql)

    assert answer.status_code == status
    assert answer.headers["x-clickhouse-exception-code"] == str(code)
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")
    assert f"({name}) (version " in answer.text
    assert "query_id" not in answer.text


def test_unknown_settings_and_databases_are_errors(served: Served) -> None:
    assert "UNKNOWN_SETTING" in served.http.post("/?no_such=1", content="SELECT 1").text
    assert "UNKNOWN_DATABASE" in served.http.post("/?database=no_such", content="SELECT 1").text


def test_settings_database_and_parameters_hold_for_one_request(served: Served, database: str) -> None:
    sql = "SELECT currentDatabase(), getSetting('max_block_size'), {who:String}, {ids:Array(UInt8)}"

    said = served.ask(sql, database=database, max_block_size=123, param_who="it's\\tme", param_ids="[1,2]")

    assert said == f"{database}\t123\tit\\'s\\tme\t[1,2]\n"
    assert served.ask("SELECT currentDatabase(), getSetting('max_block_size')") == "default\t65409\n"


def test_formats_may_be_asked_by_query_parameter_and_header(served: Served) -> None:
    assert served.ask("SELECT 1 AS a", default_format="JSONEachRow") == '{"a":1}\n'
    assert served.http.post("/", headers={"X-ClickHouse-Format": "CSV"}, content="SELECT 'x'").text == '"x"\n'
    assert served.ask("SELECT 1 AS a FORMAT CSVWithNames", default_format="JSON") == '"a"\n1\n'


@pytest.mark.parametrize(
    "fmt", ["JSON", "JSONCompact", "CSVWithNames", "TSVWithNamesAndTypes", "Parquet", "Arrow", "ORC"]
)
def test_formats_with_head_and_foot_are_whole_however_many_blocks_they_have(served: Served, fmt: str) -> None:
    rows = 300_000
    table = f"SELECT number AS n, toString(number) AS s FROM numbers({rows})"

    data = served.http.post("/", params={"max_block_size": 1000}, content=f"{table} FORMAT {fmt}").content

    back = "SELECT count(), sum(n) FROM source"
    files = {"source": ("source", data)}
    told = served.http.post(
        "/", params={"query": back, "source_structure": "n UInt64, s String", "source_format": fmt}, files=files
    )
    assert told.text == f"{rows}\t{rows * (rows - 1) // 2}\n"


def test_arrow_blocks_make_one_stream(served: Served) -> None:
    answer = served.http.post("/", content="SELECT number AS n FROM numbers(300000) FORMAT ArrowStream")

    with pa.ipc.open_stream(answer.content) as reader:
        batches = list(reader)
    assert len(batches) > 1
    assert sum(batch.num_rows for batch in batches) == 300_000


def test_an_empty_arrow_answer_has_its_columns(served: Served) -> None:
    answer = served.http.post(
        "/", content="SELECT number AS n, 'x' AS s FROM numbers(3) WHERE n > 9 FORMAT ArrowStream"
    )

    with pa.ipc.open_stream(answer.content) as reader:
        table = reader.read_all()
    assert (table.column_names, table.num_rows) == (["n", "s"], 0)


def test_rows_are_inserted_in_any_format_and_encoding(served: Served, database: str) -> None:
    served.ask(f"CREATE TABLE {database}.t (a UInt8, b String) ENGINE = MergeTree ORDER BY a")
    insert = f"INSERT INTO {database}.t FORMAT JSONEachRow"

    served.ask(f"INSERT INTO {database}.t VALUES (1, 'one'), (2, 'two' || '!')")
    served.ask(f'{insert}\n{{"a": 3, "b": "three"}}')
    served.http.post("/", params={"query": f"INSERT INTO {database}.t (b, a) FORMAT CSV"}, content='"four",4\n')
    packed = served.http.post(
        "/", params={"query": insert}, headers={"Content-Encoding": "gzip"}, content=gzip.compress(b'{"a": 5}')
    )

    assert json.loads(packed.headers["x-clickhouse-summary"])["written_rows"] == "1"
    assert served.ask(f"SELECT * FROM {database}.t ORDER BY a") == "1\tone\n2\ttwo!\n3\tthree\n4\tfour\n5\t\n"


@pytest.mark.parametrize(
    ("fmt", "data"),
    [("CSV", b"1\nx\n"), ("JSONEachRow", b'{"a": 1}{"a": "'), ("Native", b"nonsense"), ("ArrowStream", b"nonsense")],
)
def test_a_broken_insert_is_an_error_and_leaves_nothing(served: Served, database: str, fmt: str, data: bytes) -> None:
    served.ask(f"CREATE TABLE {database}.t (a UInt8) ENGINE = MergeTree ORDER BY a")

    answer = served.http.post("/", params={"query": f"INSERT INTO {database}.t FORMAT {fmt}"}, content=data)

    assert answer.status_code >= 400
    assert answer.text.count("DB::Exception: ") == 1
    assert served.ask(f"SELECT count() FROM {database}.t") == "0\n"


def test_a_write_that_fails_after_parsing_is_an_error(served: Served, database: str) -> None:
    served.ask(f"CREATE TABLE {database}.t (a UInt8, CONSTRAINT small CHECK a < 10) ENGINE = MergeTree ORDER BY a")

    answer = served.http.post("/", params={"query": f"INSERT INTO {database}.t FORMAT CSV"}, content="1\n20\n")

    assert "VIOLATED_CONSTRAINT" in answer.text
    assert served.ask(f"SELECT count() FROM {database}.t") == "0\n"


def test_get_changes_nothing(served: Served, database: str) -> None:
    for sql in (f"CREATE TABLE {database}.t (a UInt8) ENGINE = Memory", f"DROP DATABASE {database}"):
        assert "READONLY" in served.http.get("/", params={"query": sql}).text


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SELECT 1 INTO OUTFILE '/tmp/x'", "INTO_OUTFILE_NOT_ALLOWED"),
        ("INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV", "UNKNOWN_TYPE_OF_QUERY"),
        ("SELECT * FROM file('/etc/passwd', 'LineAsString')", "ACCESS_DENIED"),
        ("SELECT file('/etc/passwd')", "ACCESS_DENIED"),
        ("SELECT `fi\\x6ce`('/etc/passwd')", "ACCESS_DENIED"),
        ("SELECT file\u00a0/* */ ('/etc/passwd')", "ACCESS_DENIED"),
        ("SELECT 1 AS “'”, file('/etc/passwd') AS “'”", "ACCESS_DENIED"),
        ("SELECT arrayMap(file, ['/etc/passwd'])", "ACCESS_DENIED"),
        ("SELECT * APPLY(file) FROM (SELECT '/etc/passwd')", "ACCESS_DENIED"),
        ("INSERT INTO FUNCTION null('a String') VALUES (file('/etc/passwd'))", "ACCESS_DENIED"),
        ("SELECT * FROM Python(request)", "ACCESS_DENIED"),
        ("SELECT * FROM url('http://127.0.0.1:1/', 'CSV')", "ACCESS_DENIED"),
        ("CREATE TABLE t ENGINE = File(CSV, '/etc/passwd') AS SELECT 1", "ACCESS_DENIED"),
        ("SELECT * FROM default.`/etc/passwd`", "UNKNOWN_TABLE"),
        ("\\i /etc/passwd", "SYNTAX_ERROR"),
        ("SYSTEM SHUTDOWN", "ACCESS_DENIED"),
    ],
)
def test_the_machine_is_out_of_reach(served: Served, sql: str, name: str) -> None:
    answer = served.http.post("/", content=sql)

    assert answer.status_code >= 400
    assert f"({name})" in answer.text


def test_words_that_only_look_like_a_reader_are_data(served: Served, database: str) -> None:
    served.ask(f"CREATE TABLE {database}.t (file String) ENGINE = MergeTree ORDER BY file")
    served.ask(f"INSERT INTO {database}.t (file) VALUES ('see file(1)'), ('python(2)')")

    assert served.ask(f"SELECT count(file), length(max(file)) FROM {database}.t") == "2\t11\n"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_answers_are_packed_when_asked(served: Served, encoding: str) -> None:
    with served.http.stream(
        "POST",
        "/",
        params={"enable_http_compression": 1},
        headers={"Accept-Encoding": encoding},
        content="SELECT number FROM numbers(500000)",
    ) as answer:
        assert answer.headers["content-encoding"] == encoding
        assert sum(1 for _ in answer.iter_lines()) == 500_000


def test_block_compression_is_declined(served: Served) -> None:
    for option in ("compress", "decompress"):
        answer = served.http.post("/", params={option: 1}, content="SELECT 1")
        assert answer.status_code == 501
        assert "Accept-Encoding" in answer.text


def test_sessions_keep_settings_database_and_temporary_tables(served: Served, database: str) -> None:
    for sql in (
        "SET max_threads = 1",
        f"USE {database}",
        "CREATE TEMPORARY TABLE x (a UInt8)",
        "INSERT INTO x VALUES (7)",
    ):
        served.ask(sql, session_id="s1", max_block_size=777)
    ask = "SELECT a, getSetting('max_threads'), getSetting('max_block_size'), currentDatabase() FROM x"

    assert served.ask(ask, session_id="s1") == f"7\t1\t65409\t{database}\n"
    assert served.ask(ask, session_id="s1", max_threads=2, database="system") == "7\t2\t65409\tsystem\n"
    assert served.ask(ask, session_id="s1") == f"7\t1\t65409\t{database}\n"
    for other in ("s2", "s1&user=other"):
        assert "UNKNOWN_TABLE" in served.http.post(f"/?session_id={other}", content="SELECT a FROM x").text
    served.ask("SELECT 1", session_id="s1", close_session=1)
    assert "SESSION_NOT_FOUND" in served.http.post("/?session_id=s1&session_check=1", content="SELECT 1").text


def test_a_session_serves_one_statement_at_a_time(served: Served) -> None:
    served.ask("SET max_threads = 1", session_id="busy")
    thread = threading.Thread(target=lambda: served.ask("SELECT sleep(2)", session_id="busy"))
    thread.start()
    until(lambda: served.running("sleep(2)"))

    answer = served.http.post("/?session_id=busy", content="SELECT 1")

    thread.join()
    assert "SESSION_IS_LOCKED" in answer.text
    assert served.ask("SELECT 1", session_id="busy") == "1\n"


def test_a_long_query_times_out(served: Served) -> None:
    answer = served.http.post("/", params={"max_execution_time": 0.3}, content=LONG)

    assert answer.status_code == 408
    assert "TIMEOUT_EXCEEDED" in answer.text


@pytest.mark.parametrize("fmt", ["JSON", "Native", "ArrowStream"])
def test_a_client_that_leaves_ends_its_query(served: Served, fmt: str) -> None:
    mark = f"{fmt} leaves"
    sql = f"SELECT number, toString(number) FROM numbers(100000000000) /* {mark} */ FORMAT {fmt}"
    with served.http.stream("POST", "/", content=sql) as answer:
        pieces = answer.iter_raw()  # kept: an iterator that is thrown away hangs up
        next(pieces)
        assert served.running(mark) == 1

    until(lambda: served.running(mark) == 0)


async def test_a_client_that_leaves_before_the_answer_ends_its_query(served: Served) -> None:
    async with httpx.AsyncClient() as client:
        asking = asyncio.create_task(client.post(served.url, content=LONG.replace("FROM", "AS gone FROM"), timeout=60))
        await until_async(lambda: served.running("gone") == 1)
        asking.cancel()
        await until_async(lambda: served.running("gone") == 0)


@pytest.mark.parametrize("rows", [100, 100_000])
def test_a_client_that_leaves_during_its_insert_leaves_nothing(served: Served, database: str, rows: int) -> None:
    served.ask(f"CREATE TABLE {database}.t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
    data = b"1," + b"x" * 98 + b"\n"
    with socket.create_connection(("127.0.0.1", served.port)) as client:
        head = (
            f"POST /?query=INSERT+INTO+{database}.t+FORMAT+CSV HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"
        )
        client.sendall(head.encode() + data * rows)
        if rows * len(data) > 5 << 20:
            until(lambda: served.running(f"INSERT INTO {database}"))

    until(lambda: served.running(f"INSERT INTO {database}") == 0)
    assert served.ask(f"SELECT count() FROM {database}.t") == "0\n"


def test_an_error_amid_the_answer_is_marked_in_it(served: Served) -> None:
    with served.http.stream("POST", "/", content="SELECT throwIf(number = 3000000) FROM numbers(4000000)") as answer:
        tag = answer.headers["x-clickhouse-exception-tag"]
        end = answer.read()[-1000:].decode()

    assert answer.status_code == 200
    assert f"__exception__\r\n{tag}\r\nCode: 395. DB::Exception" in end
    assert end.endswith(f" {tag}\r\n__exception__\r\n")


def test_wait_end_of_query_turns_it_into_a_status(served: Served) -> None:
    sql = "SELECT throwIf(number = 3000000) FROM numbers(4000000)"

    answer = served.http.post("/", params={"wait_end_of_query": 1}, content=sql)

    assert answer.status_code == 500
    assert answer.text.startswith("Code: 395. ")


def test_a_large_answer_streams_in_bounded_memory(served: Served) -> None:
    process = psutil.Process(served.process.pid)
    before = most = process.memory_info().rss
    size = 0
    sql = (
        "SELECT number, toString(number), toString(sipHash64(number)) FROM numbers(10000000) FORMAT JSONCompactEachRow"
    )
    with served.http.stream("POST", "/", content=sql) as answer:
        for piece in answer.iter_raw():
            size += len(piece)
            most = max(most, process.memory_info().rss)

    assert size > 400 << 20
    assert most - before < 200 << 20


def test_a_query_that_wants_too_much_memory_fails_alone(served: Served) -> None:
    answer = served.http.post("/", content="SELECT groupArray(number) FROM numbers(1000000000)")

    assert "MEMORY_LIMIT_EXCEEDED" in answer.text
    assert served.ask("SELECT 1") == "1\n"


async def test_long_queries_leave_room_for_inserts_too_many_are_refused_and_all_end_with_the_server(
    tmp_path: Path,
) -> None:
    with serving(tmp_path / "w") as served:
        served.ask("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=served.url, timeout=60, limits=limits) as client:
            sleeping = "SELECT sleepEachRow(1) FROM numbers(600) SETTINGS max_block_size = 1"
            asked = [asyncio.create_task(client.post("/", content=sleeping)) for _ in range(140)]
            done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            refused = done.pop().result()
            inserted = await client.post("/", params={"query": "INSERT INTO t FORMAT CSV"}, content="1\n", timeout=10)
            assert await asyncio.to_thread(served.stop, 15) in {0, -signal.SIGTERM}
            answers = [await answer for answer in asked]

    assert (refused.status_code, refused.headers["x-clickhouse-exception-code"]) == (500, "202")
    assert inserted.status_code == 200
    assert {answer.headers["x-clickhouse-exception-code"] for answer in answers} == {"202", "394", "726"}


def test_users_must_say_who_they_are(tmp_path: Path) -> None:
    env = {"CITYOPS_WAREHOUSE_USER": "clerk", "CITYOPS_WAREHOUSE_PASSWORD": "secret"}
    with serving(tmp_path / "w", env=env) as served:
        headers = {"X-ClickHouse-User": "clerk", "X-ClickHouse-Key": "secret"}
        assert httpx.post(served.url, content="SELECT 1", headers=headers).text == "1\n"
        assert httpx.post(served.url, content="SELECT 1", auth=("clerk", "secret")).text == "1\n"
        assert httpx.post(served.url + "/?user=clerk&password=secret", content="SELECT 1").text == "1\n"
        for auth in (None, ("clerk", "wrong"), ("default", "secret")):
            refused = httpx.post(served.url, content="SELECT 1", auth=auth)
            assert (refused.status_code, refused.headers["x-clickhouse-exception-code"]) == (403, "516")
        assert httpx.get(served.url + "/ping").status_code == 200
