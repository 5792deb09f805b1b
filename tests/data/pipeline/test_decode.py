"""Decoding: whatever comes, every row is either in the table or among the rejects."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.data.pipeline.observations import CONTRACTS, FLOW, flow, message

from cityops.data.edge.csvtext import records
from cityops.data.edge.mapping import SourceMapping, parse_mapping
from cityops.data.pipeline.decode import decode
from cityops.data.pipeline.media import parse_media
from cityops.data.pipeline.message import Decoded, Message
from cityops.technology.bus import ARROW, CSV, NDJSON

Outcome = dict[tuple[int, int], str | None]


def outcomes(parts: list[Decoded]) -> Outcome:
    """Return for every (message, row) the rule it breaks, or None."""
    found: list[tuple[tuple[int, int], str | None]] = []
    for part in parts:
        places = zip(part.message.tolist(), part.row.tolist(), strict=True)
        found += zip(places, part.rules.to_pylist(), strict=True)
        found += [((r.message, r.row), r.rule) for r in part.rejects]
    assert len(dict(found)) == len(found), "a row came out twice"
    return dict(found)


def json_outcomes(messages: list[Message], mapping: SourceMapping | None = None) -> Outcome:
    return outcomes(decode(FLOW, NDJSON, mapping, messages))


def raw_of(parts: list[Decoded]) -> set[bytes]:
    rows = {raw for part in parts for raw in part.raw(np.arange(part.table.num_rows))}
    return rows | {reject.raw for part in parts for reject in part.rejects}


BAD_ROWS: list[tuple[bytes, str]] = [
    (b'{"detector_id":"D1","observed_at":"2026-01-01T00:00:00Z","intensity":"many"}', "type:intensity"),
    (b'{"detector_id":7,"observed_at":"2026-01-01T00:00:00Z"}', "type:detector_id"),
    (b'{"detector_id":"D1","observed_at":1767225600}', "type:observed_at"),
    (b'{"detector_id":"D1","observed_at":"today"}', "type:observed_at"),
    (b'{"detector_id":"D1","observed_at":"2026-01-01T00:00:00Z","location":[1,2]}', "type:location"),
    (b'{"detector_id":"D1","observed_at":"2026-01-01T00:00:00Z","location":{"type":"Line"}}', "type:location"),
    (b'{"detector_id":{"a":1},"observed_at":"2026-01-01T00:00:00Z"}', "type:detector_id"),
    (b'{"detector_id":"D1","detector_id":"D2"}', "json:"),
    (b'{"detector_id":"D1"', "json:"),
    (b'{"detector_id":"D1"},', "json:"),
    (b'{"detector_id":"\xff\xfe"}', "json:"),
    (b'{"intensity":1e999}', "type:intensity"),
    (b"null", "json:"),
    (b"5", "json:"),
    (b'"text"', "json:"),
    (b"true", "json:"),
    (b"[1]", "json:"),
]


@pytest.mark.parametrize(("bad", "rule"), BAD_ROWS, ids=lambda value: str(value)[:30])
@pytest.mark.parametrize("counted", [True, False])
def test_a_bad_row_is_found_and_its_neighbours_are_kept(bad: bytes, rule: str, counted: bool) -> None:
    good = json.dumps(flow()).encode()
    messages = [
        message(good, 1),
        message(bad, 2, rows=1 if counted else None),
        message([flow("D2"), flow("D3")], 3),
    ]
    found = json_outcomes(messages)
    wanted = {(0, 0): None, (2, 0): None, (2, 1): None}
    assert {place: broken for place, broken in found.items() if place[0] != 1} == wanted
    (broken,) = [broken for place, broken in found.items() if place[0] == 1]
    assert broken is not None
    assert broken == rule or (rule == "type:intensity" and broken == "json:")
    assert bad in raw_of(decode(FLOW, NDJSON, None, messages))


@pytest.mark.parametrize("payload", [b'{"intensity":NaN}', b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}"])
def test_a_device_cannot_send_what_the_edge_would_refuse(payload: bytes) -> None:
    assert json_outcomes([message(payload)]) == {(0, 0): "json:"}


def test_what_the_edge_counted_wrongly_is_counted_again() -> None:
    two = b'{"detector_id":"a"} {"detector_id":"b"}\n{"detector_id":"c"}'
    found = json_outcomes([message(two, 1, rows=1), message([flow()], 2)])
    assert found == {(0, 0): "json:", (0, 1): None, (1, 0): None}


@pytest.mark.parametrize(
    "payload", [b"[%b,%b]", b"[\n %b ,\n %b\n]", b"%b\n%b", b"%b\r\n\r\n%b\n"], ids=["array", "pretty", "lines", "crlf"]
)
def test_devices_may_send_arrays_and_lines(payload: bytes) -> None:
    rows = tuple(json.dumps(flow(d), indent=2 if b"[\n" in payload else None).encode() for d in ("D1", "D2"))
    (part,) = decode(FLOW, NDJSON, None, [message(payload % rows)])
    assert part.table["detector_id"].to_pylist() == ["D1", "D2"]
    assert part.rejects == []


def test_an_empty_message_is_set_aside() -> None:
    assert json_outcomes([message(b"", 1), message(b"  ", 2), message(b"[]", 3), message([flow()], 4)])[(3, 0)] is None


MAPPING = """\
id: t
contract: TrafficFlowObserved
nulls: [NA]
time_zone: Asia/Shanghai
fields:
  detector_id: dev
  observed_at: {from: t, format: "%Y-%m-%d %H:%M:%S"}
  intensity: {from: d.flow}
  average_vehicle_speed: {from: d.v, unit: m/s}
  location: {longitude: x, latitude: y, system: GCJ02}
"""


def mapping() -> SourceMapping:
    return parse_mapping(MAPPING, Path("t.yaml"), CONTRACTS)


def source_row(**more: Any) -> dict[str, Any]:
    return {"dev": "D1", "t": "2026-01-01 08:00:00", "d": {"flow": 60, "v": 10.0}, "x": 114.3, "y": 30.6} | more


def test_json_goes_through_a_mapping() -> None:
    (part,) = decode(FLOW, NDJSON, mapping(), [message([source_row()])])
    (row,) = part.table.to_pylist()
    assert (row["detector_id"], row["intensity"], row["average_vehicle_speed"]) == ("D1", 60.0, 36.0)
    assert row["observed_at"].isoformat() == "2026-01-01T00:00:00+00:00"
    assert 0.003 < abs(row["longitude"] - 114.3) < 0.008


def test_mapped_json_may_mix_texts_and_numbers() -> None:
    rows = [
        source_row(),
        source_row(dev=7, d={"flow": "61", "v": "NA"}),
        source_row(d={"flow": [1]}),
        source_row(x="?"),
    ]
    parts = decode(FLOW, NDJSON, mapping(), [message(rows)])
    assert outcomes(parts) == {(0, 0): None, (0, 1): None, (0, 2): "type:intensity", (0, 3): "type:location"}
    assert parts[0].table["detector_id"].to_pylist() == ["D1", "7"]
    assert parts[0].table["intensity"].to_pylist() == [60.0, 61.0]


def test_csv_records_that_do_not_fit_the_header_are_set_aside() -> None:
    head = b"detector_id,observed_at,intensity\n"
    first = head + b'D1,2026-01-01T00:00:00Z,5\nD2,2026-01-01T00:00:00Z\n"D,3",2026-01-01T00:00:00Z,\nD4,x,many\n'
    second = b"detector_id,observed_at\nD5,2026-01-01T00:00:00Z\n"
    parts = decode(FLOW, CSV, None, [message(first, 1), message(second, 2), message(head + b"\xff,x,1\n", 3)])
    assert outcomes(parts) == {
        (0, 0): None,
        (0, 1): "csv:",
        (0, 2): None,
        (0, 3): "type:observed_at",
        (1, 0): None,
        (2, 0): "csv:",
    }
    rejects = [reject for part in parts for reject in part.rejects]
    assert {r.raw for r in rejects} == {b"D2,2026-01-01T00:00:00Z", b"\xff,x,1"}
    assert parse_media(rejects[0].content_type).header == head.strip()


def test_csv_in_another_encoding_is_read_by_the_mapping() -> None:
    text = "id: t\ncontract: TrafficFlowObserved\nencoding: gbk\ndelimiter: ';'\n"
    text += "fields: {detector_id: 名称, observed_at: 时间}"
    gbk = parse_mapping(text, Path("t.yaml"), CONTRACTS)
    payload = "名称;时间\n江汉路;2026-01-01T00:00:00Z\n".encode("gbk")
    (part,) = decode(FLOW, CSV, gbk, [message(payload)])
    assert part.table["detector_id"].to_pylist() == ["江汉路"]


def test_arrow_rows_are_read_and_bad_streams_set_aside() -> None:
    sink = io.BytesIO()
    table = pa.table({"detector_id": ["D1", "D2"], "observed_at": ["2026-01-01T00:00:00Z", "never"]})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    parts = decode(FLOW, ARROW, None, [message(sink.getvalue(), 1), message(b"junk", 2)])
    assert outcomes(parts) == {(0, 0): None, (0, 1): "type:observed_at", (1, 0): "arrow:"}
    assert json.loads(parts[0].raw(np.array([1]))[0]) == {"detector_id": "D2", "observed_at": "never"}


def test_content_of_another_type_is_set_aside_whole() -> None:
    assert outcomes(decode(FLOW, "image/png", None, [message(b"\x89PNG")])) == {(0, 0): "content:"}


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
_JUNK = _SCALARS | st.lists(_SCALARS, max_size=3) | st.dictionaries(st.text(max_size=4), _SCALARS, max_size=3)
_FIELDS = st.sampled_from([p.name for p in FLOW.properties] + ["other"])
_ROW = st.one_of(
    st.builds(lambda d: json.dumps(flow(d)).encode(), st.text("abc", min_size=1, max_size=3)),
    st.dictionaries(_FIELDS, _JUNK, max_size=5).map(lambda row: json.dumps(row).encode()),
    st.binary(max_size=12).filter(lambda b: b"\n" not in b and b.strip()),
)
_MESSAGES = st.lists(st.tuples(st.lists(_ROW, min_size=1, max_size=4), st.booleans()), min_size=1, max_size=5)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(_MESSAGES, st.booleans())
def test_no_row_is_ever_lost(sent: list[tuple[list[bytes], bool]], mapped: bool) -> None:
    messages = [
        message(b"\n".join(rows), n + 1, rows=len(rows) if counted else None) for n, (rows, counted) in enumerate(sent)
    ]
    found = json_outcomes(messages, mapping() if mapped else None)
    for number, (rows, counted) in enumerate(sent):
        places = sorted(row for message_, row in found if message_ == number)
        if counted:
            kept = [row for row in rows if row.strip(b" \t\r\n")]
            assert places == list(range(len(kept)))
        else:  # a device's message may be one reject as a whole, or all its rows
            assert places


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6), max_size=4), max_size=8
    )
)
def test_no_csv_record_is_ever_lost(rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([row for row in rows if row])
    written = [row for row in rows if row]
    body = text.getvalue().encode()
    count = len(records(body))
    found = outcomes(decode(FLOW, CSV, None, [message(b"detector_id,observed_at\n" + body)]))
    assert sorted(row for _, row in found) == list(range(count))
    assert count <= len(written) or any("\r" in cell or "\n" in cell for row in written for cell in row)
