"""A role that crashes, hangs, lies or never starts."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.engines import any_ports, until_async

from cityops.runtime import keeper as keeping
from cityops.runtime import records
from cityops.runtime.health import Health
from cityops.runtime.keeper import Heartbeats, Keeper, StartError
from cityops.runtime.process import Program
from cityops.runtime.roles import Role
from cityops.settings import Settings

SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = any_ports(tmp_path)
    made.run_dir.mkdir(parents=True)
    return made


async def well(settings: Settings) -> Health:
    return "well"


async def silent(settings: Settings) -> Health:
    return "silent"


def role(code: str, check: Callable[[Settings], object] | None = well, **how: object) -> Role:
    def program(settings: Settings) -> Program:
        return Program("x", (sys.executable, "-c", code), stop_seconds=0.5)

    return Role("x", "a test", (), program, check, **how)  # type: ignore[arg-type]


class Watched(Keeper):
    def __init__(self, role: Role, settings: Settings, beats: Heartbeats | None = None) -> None:
        self.seen: list[str] = []
        self.told: list[tuple[str, float]] = []
        super().__init__(
            role,
            settings,
            beats or Heartbeats(),
            lambda one: self.seen.append(one.state),
            lambda name, step, share: self.told.append((step, share)),
        )


async def test_a_role_that_never_works_is_reported_with_its_last_words(settings: Settings) -> None:
    one = Watched(role("import sys; print('no such key: colour'); sys.exit(3)", silent), settings)
    with pytest.raises(StartError, match=r"ended with code 3[\s\S]*no such key: colour"):
        await one.start()
    assert one.restarts == 3
    await one.stop()


async def test_a_role_whose_program_is_missing_is_reported(settings: Settings) -> None:
    gone = Role("x", "a test", (), lambda settings: Program("x", ("/no/such/program",)), well)
    one = Watched(gone, settings)
    with pytest.raises(StartError, match="/no/such/program"):
        await one.start()
    await one.stop()


async def test_a_crashing_role_is_restarted_with_growing_pauses(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(keeping, "STARTING_POLL_SECONDS", 0.01)
    one = Watched(role("import time; time.sleep(0.2)"), settings)
    began = time.monotonic()
    await one.start()
    await until_async(lambda: one.restarts >= 4)
    # Pauses of 50, 100, 200, 400 ms, each by half at least, and four lives of 200 ms.
    assert time.monotonic() - began > 0.8 + 0.5 * 0.35
    await one.stop()
    assert one.seen[:4] == ["starting", "healthy", "restarting", "starting"]


async def test_a_role_that_stops_answering_is_ended_and_started_anew(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"CHECK_SECONDS": 0.02, "SILENT_SECONDS": 0.2, "FIRST_PAUSE_SECONDS": 0.01}.items():
        monkeypatch.setattr(keeping, name, value)
    answers: list[Health] = ["well", "well", "silent"]

    async def check(settings: Settings) -> Health:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    one = Watched(role(SLEEP, check), settings)
    await one.start()
    first = one.child.pid if one.child else None
    await until_async(lambda: one.restarts == 1)
    answers[:] = ["well"]
    await until_async(lambda: one.state == "healthy")
    assert one.child is not None
    assert one.child.pid != first
    assert "unwell" in one.seen
    await one.stop()


async def test_a_role_that_answers_that_it_cannot_work_is_not_started_anew(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"CHECK_SECONDS": 0.02, "SILENT_SECONDS": 0.1}.items():
        monkeypatch.setattr(keeping, name, value)
    answers: list[Health] = ["well", *["unwell"] * 20, "well"]

    async def check(settings: Settings) -> Health:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    one = Watched(role(SLEEP, check), settings)
    await one.start()
    await until_async(lambda: one.seen[-3:] == ["healthy", "unwell", "healthy"])
    assert one.restarts == 0
    await one.stop()


async def test_telemetry_of_an_earlier_process_does_not_count_as_health(settings: Settings) -> None:
    beats = Heartbeats()
    beats.hear("x", 1, ready=True)
    assert beats.health("x", 2) == "silent"
    beats.hear("x", 2, ready=False)
    assert beats.health("x", 2) == "unwell"
    beats.hear("x", 2, ready=True)
    assert beats.health("x", 2) == "well"


async def test_a_role_is_not_ended_for_silence_while_the_bus_itself_is_away(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"CHECK_SECONDS": 0.02, "BEAT_SECONDS": 0.05, "SILENT_SECONDS": 0.2}.items():
        monkeypatch.setattr(keeping, name, value)
    beats = Heartbeats()
    one = Watched(role(SLEEP, None), settings, beats)

    def beat() -> bool:
        if one.child and one.child.pid:
            beats.hear("x", one.child.pid, ready=True)
        return one.state == "healthy"

    starting = asyncio.create_task(one.start())
    await until_async(beat)
    await starting
    beats.listening = lambda: False
    await until_async(lambda: one.state == "unwell")
    await asyncio.sleep(0.5)
    assert one.restarts == 0
    beats.listening = lambda: True
    await until_async(lambda: one.restarts == 1)
    await one.stop()


async def test_a_role_that_will_not_stop_is_killed_with_all_it_started(settings: Settings) -> None:
    code = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); print('started', flush=True); time.sleep(60)"
    )
    one = Watched(role(code), settings)
    await one.start()
    assert one.child is not None
    leader = one.child.pid
    assert leader is not None
    await until_async(lambda: len(records.session_members(leader)) == 2)
    await one.stop()
    await until_async(lambda: not records.session_members(leader))
    assert one.state == "stopped"


async def test_what_a_crashed_role_had_started_is_gone_before_it_is_started_anew(settings: Settings) -> None:
    code = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); time.sleep(0.3)"
    one = Watched(role(code), settings)
    await one.start()
    assert one.child is not None
    leader = one.child.pid
    assert leader is not None
    await until_async(lambda: one.restarts == 1)
    assert records.session_members(leader) == []
    await one.stop()


async def test_a_role_that_runs_once_is_done_and_says_how_far_it_is(settings: Settings) -> None:
    said = '{"level": "info", "event": "progress", "step": "streets", "share": 0.5}'
    one = Watched(role(f"print({said!r})", None, once=True), settings)
    await one.start()
    assert one.state == "done"
    assert one.told == [("streets", 0.5)]
    await one.stop()


def test_the_recorded_stop_signal_is_the_programs_own(settings: Settings) -> None:
    entry = records.Record("x", 1, 0.0, [], int(signal.SIGINT))
    records.write(settings.run_dir, entry)
    assert records.read_all(settings.run_dir) == [entry]
