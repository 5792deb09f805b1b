"""Log lines of every child are JSON, in files that do not grow without end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityops.runtime.logs import RotatingLog, as_json, tail


@pytest.mark.parametrize(
    ("line", "level", "event"),
    [
        (b"[12] 2026/11/22 15:57:21.437726 [ERR] JetStream failed", "error", "JetStream failed"),
        (b"2026-11-22 15:59:29.927 UTC [16844] FATAL:  no room", "error", "no room"),
        ("Traceback: 城".encode(), "info", "Traceback: 城"),
        (b"\xff\xfe", "info", "\ufffd\ufffd"),
    ],
)
def test_a_line_of_text_becomes_json_with_its_level(line: bytes, level: str, event: str) -> None:
    said = json.loads(as_json(line, "nats"))
    assert (said["level"], said["event"], said["role"]) == (level, event, "nats")


@given(st.binary(max_size=200).filter(lambda line: not line.strip().startswith(b'{"')))
def test_any_line_becomes_one_line_of_json_or_nothing(line: bytes) -> None:
    text = as_json(line, "x")
    assert b"\n" not in text
    assert not text or json.loads(text)["role"] == "x"


def test_json_lines_pass_unchanged() -> None:
    assert as_json(b'{"t": 1}\r\n', "x") == b'{"t": 1}'


def test_a_full_log_is_rotated_and_the_oldest_dropped(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path, "x", rotate_bytes=100, keep=2)
    for n in range(30):
        log.write(b'{"n": %d, "pad": "%s"}' % (n, b"." * 40))
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.jsonl.1", "x.jsonl.2"] or sorted(
        path.name for path in tmp_path.iterdir()
    ) == ["x.jsonl", "x.jsonl.1", "x.jsonl.2"]
    kept = [json.loads(line)["n"] for path in sorted(tmp_path.iterdir()) for line in path.read_text().splitlines()]
    assert max(kept) == 29
    assert len(kept) <= 6


def test_the_tail_of_a_missing_log_is_empty(tmp_path: Path) -> None:
    assert tail(tmp_path / "none.jsonl") == []
