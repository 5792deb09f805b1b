"""What an earlier run left is ended, and nothing that merely has its pid."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from cityops.runtime import records

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE, start_new_session=True) as started:
        assert started.stdout is not None
        started.stdout.readline()
        yield started
        started.kill()


def test_a_leftover_is_ended_even_when_it_is_deaf(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    records.write(tmp_path, records.record("x", process.pid))
    assert records.end_leftovers(tmp_path, grace_seconds=0.2) == ["x"]
    assert process.wait(1) == -9
    assert records.read_all(tmp_path) == []


def test_another_process_with_the_pid_on_record_is_left_alone(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    ours = records.record("x", process.pid)
    records.write(tmp_path, replace(ours, started=ours.started - 100))
    assert records.end_leftovers(tmp_path, grace_seconds=0.2) == []
    assert process.poll() is None


def test_what_a_dead_leftover_started_is_ended_too(tmp_path: Path) -> None:
    code = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {DEAF!r}]).pid, flush=True)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True) as leader:
        assert leader.stdout is not None
        entry = records.record("x", leader.pid)
        child = psutil.Process(int(leader.stdout.readline()))
        leader.wait()
    records.write(tmp_path, entry)
    assert records.end_leftovers(tmp_path, grace_seconds=0.2) == ["x"]
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_damaged_record_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "x.pid.json").write_text('{"role": "x", "pi')
    assert records.read_all(tmp_path) == []
    assert records.end_leftovers(tmp_path) == []


def test_the_lock_of_a_folder_is_held_once(tmp_path: Path) -> None:
    with (
        records.single_instance(tmp_path),
        pytest.raises(records.AlreadyRunningError, match="cityops down"),
        records.single_instance(tmp_path),
    ):
        pass
    with records.single_instance(tmp_path):
        pass
