"""Where addresses come from, and what is said of those that cannot be used."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from cityops.runtime.supervisor import write_endpoints
from cityops.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in fields(Settings):
        monkeypatch.delenv(f"CITYOPS_{field.name.upper()}", raising=False)


def test_a_running_platform_is_found_by_its_folder(tmp_path: Path) -> None:
    running = Settings(tmp_path, ioc_port=9999, speed=2.5, postgres_url="postgresql+psycopg://u:p@127.0.0.1:1/x")
    write_endpoints(running)
    assert Settings.load(tmp_path) == running


def test_the_environment_wins_over_the_endpoints_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_endpoints(Settings(tmp_path, ioc_port=9999))
    monkeypatch.setenv("CITYOPS_IOC_PORT", "7777")
    assert Settings.load(tmp_path).ioc_port == 7777


def test_a_child_reads_what_its_parent_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = replace(Settings(tmp_path), population=5000, speed=0.5, mqtt_port=1)
    for name, value in parent.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings.load() == parent


@pytest.mark.parametrize(("name", "text"), [("IOC_PORT", "eighty"), ("SPEED", "fast"), ("POPULATION", "1.5")])
def test_a_value_that_is_no_number_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(f"CITYOPS_{name}", text)
    with pytest.raises(SettingsError, match=f"CITYOPS_{name}='{text}'"):
        Settings.load(tmp_path)


def test_a_damaged_endpoints_file_says_what_to_do(tmp_path: Path) -> None:
    path = Settings(tmp_path).endpoints_file
    path.parent.mkdir()
    path.write_text('{"ioc_port": 80')
    with pytest.raises(SettingsError, match="remove it or start"):
        Settings.load(tmp_path)
