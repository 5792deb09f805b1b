"""Bodies of requests: every form becomes one JSON object a line, within bounds."""

import contextlib
import gzip
import io
import json
import zlib
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityops.data.edge.body import MAX_BODY, MAX_MESSAGE, MAX_ROWS, parts_of, read_body
from cityops.data.edge.problem import ProblemError
from cityops.technology.bus import ARROW, NDJSON

JSON = "application/json"


async def received(chunks: list[bytes], headers: dict[bytes, bytes] | None = None) -> tuple[bytes, int]:
    """Return the body and how many chunks were asked for."""
    asked = 0

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": chunks[asked - 1], "more_body": asked < len(chunks)}

    try:
        return await read_body(receive, headers or {}), asked
    except ProblemError as problem:
        problem.more["asked"] = asked
        raise


@pytest.mark.parametrize("kind", [JSON, NDJSON, "application/json; charset=utf-8"])
@pytest.mark.parametrize(
    "body",
    [
        b'[{"a":1},{"b":"x"}]',
        b'[ {"a":1} ,\n {"b":"x"} ]',
        b'{"a":1}\n{"b":"x"}',
        b'\n {"a":1}\r\n\r\n{"b":"x"}\r\n',
        b'[{"a":\n1},{"b":"x"}]',
    ],
)
def test_every_form_becomes_one_object_a_line(body: bytes, kind: str) -> None:
    (part,) = parts_of(body, kind)
    assert (part.rows, part.content_type) == (2, NDJSON)
    assert [json.loads(line) for line in part.payload.split(b"\n")] == [{"a": 1}, {"b": "x"}]


def test_one_object_over_several_lines_is_one_row() -> None:
    (part,) = parts_of(b'{\n "a": 1\n}', JSON)
    assert (part.rows, part.payload) == (1, b'{"a":1}')


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"", 400, "no observation"),
        (b"[]", 400, "no observation"),
        (b"[1]", 400, "observation 1 is not a JSON object"),
        (b'{"a":1}\nnull', 400, "observation 2 is not a JSON object"),
        (b"null", 400, "not a JSON object"),
        (b'[{"a":1},]', 400, "trailing comma in array (byte 9)"),
        (b'{"a":1}\n{"a":', 400, "line 2"),
        (b'[{"a":NaN}]', 400, "malformed JSON"),
        (b'[{"a":"\xff\xfe"}]', 400, "not UTF-8 at byte 7"),
        (b"[" * 200_000, 400, "nested too deeply"),
        (b"[" + b"{}," * MAX_ROWS + b"{}]", 413, "observations in one request"),
        (b'[{"a":"' + b"x" * MAX_MESSAGE + b'"}]', 413, "observation 1 alone"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_list_of_objects_is_refused_with_its_place(body: bytes, status: int, detail: str) -> None:
    with pytest.raises(ProblemError) as found:
        parts_of(body, JSON)
    assert found.value.status == status
    assert detail in found.value.detail


def test_another_type_of_content_is_refused() -> None:
    with pytest.raises(ProblemError) as found:
        parts_of(b"a,b", "text/csv")
    assert found.value.status == 415


def test_a_large_body_becomes_messages_that_the_log_takes() -> None:
    rows = [{"n": n, "text": "y" * 100} for n in range(30_000)]
    parts = parts_of(json.dumps(rows).encode(), JSON)
    assert len(parts) > 1
    assert all(len(part.payload) <= MAX_MESSAGE + 200 for part in parts)
    assert [json.loads(line) for part in parts for line in part.payload.split(b"\n")] == rows
    assert sum(part.rows for part in parts) == len(rows)


def test_an_arrow_body_is_taken_and_split() -> None:
    table = pa.table({"n": range(300_000)})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.slice(0, 190_000))
    parts = parts_of(sink.getvalue(), ARROW)
    assert len(parts) > 1
    read = pa.concat_tables([pa.ipc.open_stream(part.payload).read_all() for part in parts])
    assert (
        read.equals(table.slice(0, 190_000).combine_chunks()) or read.to_pydict() == table.slice(0, 190_000).to_pydict()
    )


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_arrow_buffers_that_could_inflate_are_refused(compression: str) -> None:
    table = pa.table({"n": [0] * 100_000, "d": pa.array(["x"] * 100_000).dictionary_encode()})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table)
    with pytest.raises(ProblemError) as found:
        parts_of(sink.getvalue(), ARROW)
    assert found.value.status == 400
    assert "compressed buffers" in found.value.detail


_STREAM = io.BytesIO()
with pa.ipc.new_stream(_STREAM, pa.schema([("a", pa.string()), ("b", pa.float64())])) as _writer:
    _writer.write_table(pa.table({"a": ["x", None], "b": [1.0, 2.0]}))


@given(st.integers(0, len(_STREAM.getvalue()) - 1), st.integers(0, 255), st.integers(0, 40))
def test_damaged_arrow_is_refused_or_read_never_a_crash(at: int, byte: int, cut: int) -> None:
    damaged = bytearray(_STREAM.getvalue())
    damaged[at] = byte
    with contextlib.suppress(ProblemError):
        assert sum(part.rows for part in parts_of(bytes(damaged[: len(damaged) - cut]), ARROW)) > 0


async def test_a_body_declared_too_long_is_refused_unread() -> None:
    with pytest.raises(ProblemError) as found:
        await received([b"x"] * 10, {b"content-length": str(50_000_000).encode()})
    assert (found.value.status, found.value.more["asked"]) == (413, 0)


async def test_a_body_that_grows_too_long_is_refused_where_it_does() -> None:
    with pytest.raises(ProblemError) as found:
        await received([b"x" * (1 << 20)] * 50)
    assert (found.value.status, found.value.more["asked"]) == (413, MAX_BODY // (1 << 20) + 1)


async def test_gzip_is_inflated_even_in_several_members() -> None:
    body = gzip.compress(b'[{"a":1},') + gzip.compress(b'{"a":2}]')
    assert (await received([body[:20], body[20:]], {b"content-encoding": b"gzip"}))[0] == b'[{"a":1},{"a":2}]'


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (gzip.compress(b"0" * (MAX_BODY + 1)), b"gzip", 413),
        (gzip.compress(gzip.compress(b"0" * 10**9)), b"gzip", 400),
        (gzip.compress(b"{}")[:-9], b"gzip", 400),
        (b"no gzip", b"gzip", 400),
        (zlib.compress(b"{}"), b"br", 415),
    ],
    ids=["bomb", "nested bomb", "cut short", "not gzip", "unknown"],
)
async def test_bad_compression_is_refused(body: bytes, encoding: bytes, status: int) -> None:
    with pytest.raises(ProblemError) as found:
        (_part,) = parts_of((await received([body], {b"content-encoding": encoding}))[0], JSON)
    assert found.value.status == status


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_OBJECTS = st.lists(st.dictionaries(st.text(max_size=5), _VALUES, max_size=4), min_size=1, max_size=8)


@given(_OBJECTS, st.sampled_from(["array", "lines", "pretty"]), st.booleans())
def test_no_observation_is_lost_or_changed(rows: list[dict[str, Any]], form: str, escaped: bool) -> None:
    if form == "lines":
        text = "\n".join(json.dumps(row, ensure_ascii=escaped) for row in rows)
    else:
        text = json.dumps(rows, ensure_ascii=escaped, indent=1 if form == "pretty" else None)
    try:
        body = text.encode()
    except UnicodeEncodeError:
        return  # a lone surrogate has no bytes
    if escaped and "\\ud" in text:  # escapes of lone surrogates are no text either
        with contextlib.suppress(ProblemError):
            parts_of(body, JSON)
        return
    parts = parts_of(body, JSON)
    assert [json.loads(line) for part in parts for line in part.payload.split(b"\n")] == rows
