"""The commands as a person types them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from tests.engines import Engines
from typer.testing import CliRunner, Result

from cityops.cli import app
from cityops.runtime import doctor, records
from cityops.settings import Settings


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "160"})


@pytest.mark.engine
def test_status_shows_what_runs_and_what_it_uses(own_nats: Engines) -> None:
    said = run("status", "--data-dir", own_nats.settings.data_dir)
    assert said.exit_code == 0
    (row,) = (line.split() for line in said.output.splitlines() if line.strip().startswith("nats "))
    assert row[1:3] == ["healthy", str(own_nats.pid("nats"))]
    assert float(row[3]) > 1
    assert own_nats.settings.nats_url in said.output


def test_status_of_an_empty_folder_says_that_nothing_runs(tmp_path: Path) -> None:
    said = run("status", "--data-dir", tmp_path)
    assert said.exit_code == 3
    assert "not running" in said.output


def test_down_of_an_empty_folder_says_that_nothing_runs(tmp_path: Path) -> None:
    said = run("down", "--data-dir", tmp_path)
    assert said.exit_code == 0
    assert "nothing was running" in said.output


def test_up_on_a_folder_in_use_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    with records.single_instance(tmp_path / "run"):
        said = run("up", "--no-twin", "--port", "0", "--data-dir", tmp_path)
    assert said.exit_code == 1
    assert said.exception is None or isinstance(said.exception, SystemExit)
    assert "in use" in said.output


def test_an_unknown_role_is_told_the_roles_there_are() -> None:
    said = run("serve", "kitchen")
    assert said.exit_code == 1
    assert "pipeline" in said.output


def test_a_file_that_is_no_map_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "city.osm.pbf").write_text("no map")
    said = run("city", "import", tmp_path / "city.osm.pbf", "--data-dir", tmp_path)
    assert said.exit_code == 1
    assert "Traceback" not in said.output
    assert "city.osm.pbf" in said.output


def test_an_unknown_contract_is_told_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a\n1\n")
    said = run("load", tmp_path / "rows.csv", "--contract", "Kitchen", "--data-dir", tmp_path)
    assert said.exit_code == 1
    assert "Kitchen" in said.output
    assert "AirQualityObserved" in said.output


def test_doctor_finds_a_folder_it_may_not_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = run("doctor", "--data-dir", tmp_path / "file" / "below")
    assert said.exit_code == 1
    assert "--data-dir" in said.output


def test_doctor_names_ports_that_are_taken(tmp_path: Path) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        findings = doctor.examine(Settings(tmp_path, ioc_port=port))
    (ports,) = (finding for finding in findings if finding.what == "ports")
    assert (ports.verdict, str(port) in ports.found) == ("poor", True)


def test_doctor_says_when_the_disk_has_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITYOPS_DISK_RESERVE_MB", str(10**9))
    (disk,) = (finding for finding in doctor.examine(Settings(tmp_path)) if finding.what == "disk")
    assert disk.verdict == "missing"
    assert "free some room" in disk.mend


def test_every_engine_is_found_by_the_doctor(tmp_path: Path) -> None:
    found = {finding.what: finding.verdict for finding in doctor.examine(Settings(tmp_path))}
    assert {found[what] for what in ("Python", "packages", "NATS", "PostgreSQL")} == {"ok"}
