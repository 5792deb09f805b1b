"""The supervisor as a person meets it: one process started, interrupted, killed, started again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from pathlib import Path

import psutil
import psycopg
import pytest
from tests.engines import until
from tests.runtime.up_process import ENGINES, Up

from cityops.runtime import records
from cityops.settings import Settings
from cityops.technology import bus

pytestmark = pytest.mark.engine

NOBODY = 65534


async def put(settings: Settings, text: bytes) -> None:
    client = await bus.connect(settings, "test")
    await bus.ensure_all(client, settings)
    await client.jetstream().publish(bus.ingest_subject("A", "b"), text)
    await client.close()


async def log_of(settings: Settings) -> list[bytes]:
    client = await bus.connect(settings, "test")
    subscription = await client.jetstream().pull_subscribe_bind(bus.PIPELINE, bus.INGEST_STREAM)
    messages = await subscription.fetch(10, timeout=2)
    await client.close()
    return [message.data for message in messages]


def alive(entries: dict[str, records.Record]) -> list[str]:
    return [role for role, entry in entries.items() if entry.alive()]


def test_ctrl_c_leaves_no_process_and_no_stale_address(start: type[Up], tmp_path: Path) -> None:
    one = start(tmp_path)
    one.wait()
    below = psutil.Process(one.process.pid).children(recursive=True)
    assert {"nats-server", "postgres"} <= {process.name() for process in below}
    assert one.end() == 0
    assert [process for process in below if process.is_running()] == []
    assert not (tmp_path / "run" / "endpoints.json").exists()
    assert records.read_all(tmp_path / "run") == []


def test_ctrl_c_while_starting_ends_at_once_and_cleanly(start: type[Up], tmp_path: Path) -> None:
    one = start(tmp_path)
    until((tmp_path / "run" / "nats.pid.json").exists)
    below = psutil.Process(one.process.pid).children(recursive=True)
    assert one.end() == 0
    until(lambda: not any(process.is_running() for process in below))


async def test_kill_of_the_supervisor_blocks_nothing_and_loses_nothing(start: type[Up], tmp_path: Path) -> None:
    first = start(tmp_path)
    settings = first.wait()
    await put(settings, b"accepted")
    with psycopg.connect(settings.postgres_url.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    orphans = first.children()
    os.kill(orphans["warehouse"].pid, signal.SIGSTOP)  # one that cannot hear what the kernel tells it
    first.process.kill()
    first.process.wait()
    until(lambda: alive(orphans) == ["warehouse"])

    second = start(tmp_path)
    settings = second.wait()
    assert alive(orphans) == []
    assert await log_of(settings) == [b"accepted"]
    with psycopg.connect(settings.postgres_url.replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
    assert second.end() == 0


@pytest.mark.parametrize("role", ENGINES)
def test_a_killed_engine_is_back_and_well_at_the_same_address(start: type[Up], tmp_path: Path, role: str) -> None:
    one = start(tmp_path, roles=(role,))
    before = one.wait()
    os.kill(one.children()[role].pid, signal.SIGKILL)

    def back() -> bool:
        with contextlib.suppress(ValueError, OSError):
            said = json.loads((tmp_path / "run" / "status.json").read_text("utf-8"))[role]
            return bool(said == {"state": "healthy", "restarts": 1})
        return False

    until(back)
    assert Settings.load(tmp_path) == before
    assert one.end() == 0


def test_a_second_supervisor_on_the_same_folder_says_who_holds_it(start: type[Up], tmp_path: Path) -> None:
    first = start(tmp_path, roles=("nats",))
    first.wait()
    second = start(tmp_path, roles=("nats",))
    said, _ = second.process.communicate(timeout=30)
    assert second.process.returncode == 1
    assert f"in use by the cityops process {first.process.pid}" in said
    assert first.end() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
def test_an_ordinary_user_runs_every_engine(start: type[Up], tmp_path: Path) -> None:
    setpriv = shutil.which("setpriv")
    if not setpriv:
        pytest.skip("needs setpriv (util-linux)")
    # The Python that runs the tests may lie where only root may look: the right to look, and no other, is kept.
    rights = (
        "--inh-caps=-all,+dac_read_search",
        "--bounding-set=-all,+dac_read_search",
        "--ambient-caps=+dac_read_search",
    )
    prefix = (setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *rights)
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    one = start(folder, prefix=prefix)
    settings = one.wait()
    owners = {psutil.Process(entry.pid).uids().effective for entry in one.children().values()}
    assert owners == {NOBODY}
    with psycopg.connect(settings.postgres_url.replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert one.end() == 0
