"""Statements are routed as ClickHouse's own HTTP server would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityops.data.warehouse.statement import IncompleteError, Kind, parse

INSERTS = [
    (b"INSERT INTO t FORMAT CSV\n1,2\n", "CSV", b"1,2\n"),
    (b"insert into t (a, b) format JSONEachRow {}", "JSONEachRow", b"{}"),
    (b"INSERT INTO db.`odd name` (a) SETTINGS async_insert = 0 FORMAT Native\r\n\x00\xff", "Native", b"\x00\xff"),
    (b"INSERT INTO t VALUES (1, 'x'), (2, 'FORMAT CSV')", "Values", b" (1, 'x'), (2, 'FORMAT CSV')"),
    (b"/* why */ INSERT INTO t -- rows follow\n(a) VALUES\n(1)", "Values", b"\n(1)"),
    (b"INSERT INTO FUNCTION null('a UInt8') FORMAT RowBinary \x01", "RowBinary", b"\x01"),
    (b"INSERT INTO format FORMAT TSV\n1\n", "TSV", b"1\n"),
]


@pytest.mark.parametrize(("text", "fmt", "rows"), INSERTS)
def test_rows_of_an_insert_begin_after_its_format(text: bytes, fmt: str, rows: bytes) -> None:
    statement = parse(text)

    assert statement.kind is Kind.DATA
    assert statement.format == fmt
    assert text[statement.data_at :] == rows


@given(st.sampled_from(INSERTS), st.data())
def test_an_insert_is_routed_alike_however_its_text_arrives(
    case: tuple[bytes, str, bytes], data: st.DataObject
) -> None:
    text, _, _ = case
    end = data.draw(st.integers(0, len(text)))

    try:
        early = parse(text[:end], complete=False)
    except IncompleteError:
        return

    assert early == parse(text)


def test_settings_of_an_insert_stand_apart_from_its_head() -> None:
    statement = parse(b"INSERT INTO t (settings) SETTINGS a = 1, b = 'FORMAT' FORMAT CSV\n")

    assert statement.text.strip() == b"INSERT INTO t (settings)"
    assert statement.settings.strip() == b"SETTINGS a = 1, b = 'FORMAT'"


@pytest.mark.parametrize(
    ("text", "kind", "fmt", "settings"),
    [
        (b"SELECT 1", Kind.ROWS, None, b""),
        (b"SELECT 1 FORMAT JSON", Kind.ROWS, "JSON", b""),
        (b"SELECT 1 FORMAT JSON SETTINGS max_threads = 1;", Kind.ROWS, "JSON", b"SETTINGS max_threads = 1"),
        (b"SELECT format FROM t", Kind.ROWS, None, b""),
        (b"SELECT a AS format, b FROM t", Kind.ROWS, None, b""),
        (b"SELECT * FROM (SELECT 1 FORMAT) AS x", Kind.ROWS, None, b""),
        (b"SELECT 'it''s FORMAT JSON' -- FORMAT CSV", Kind.ROWS, None, b""),
        (b"WITH 1 AS x SELECT x", Kind.ROWS, None, b""),
        (b"(SELECT 1) UNION ALL (SELECT 2) FORMAT TSV ;", Kind.ROWS, "TSV", b""),
        (b"# ! a comment\nSELECT $a$ FORMAT x $a$", Kind.ROWS, None, b""),
        (b"SHOW TABLES FORMAT JSON", Kind.OTHER, "JSON", b""),
        (b"INSERT INTO t SELECT 1", Kind.OTHER, None, b""),
        (b"CREATE TABLE t (a Int8) ENGINE = Memory", Kind.OTHER, None, b""),
        (b"", Kind.OTHER, None, b""),
        (b"SELECT 'never closed", Kind.OTHER, None, b""),
    ],
)
def test_a_statement_is_routed_with_its_format(text: bytes, kind: Kind, fmt: str | None, settings: bytes) -> None:
    statement = parse(text)

    assert (statement.kind, statement.format, statement.settings) == (kind, fmt, settings)


@pytest.mark.parametrize(
    ("text", "stateful"),
    [
        (b"SET max_threads = 1", True),
        (b"USE system", True),
        (b"CREATE TEMPORARY TABLE x (a Int8)", True),
        (b"CREATE OR REPLACE TEMPORARY TABLE x (a Int8)", True),
        (b"CREATE TABLE temporary (a Int8) ENGINE = Memory", True),  # once too often: it costs a connection
        (b"SELECT 1", False),
    ],
)
def test_what_changes_a_session_is_known(text: bytes, stateful: bool) -> None:
    assert parse(text).stateful is stateful


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b"SELECT 1 INTO OUTFILE '/etc/passwd' FORMAT CSV", "INTO OUTFILE"),
        (b"INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV", "FROM INFILE"),
        (b"SELECT 'INTO OUTFILE x'", None),
    ],
)
def test_files_of_the_server_are_out_of_reach(text: bytes, what: str | None) -> None:
    assert parse(text).forbidden == what
