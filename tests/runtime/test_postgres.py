"""PostgreSQL under whoever we are, wherever its files lie."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psycopg
import pytest
from tests.engines import Engines

from cityops.runtime import postgres
from cityops.settings import Settings

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root must become someone else")


@pytest.mark.engine
def test_the_password_is_asked_for_and_readable_by_its_owner_alone(postgres: Engines) -> None:
    address = postgres.settings.postgres_url.replace("+psycopg", "")
    secret = address.split(":")[2].split("@")[0]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(address.replace(secret, "guess"))
    assert (postgres.settings.data_dir / "postgres.password").stat().st_mode & 0o077 == 0
    assert postgres.settings.endpoints_file.stat().st_mode & 0o077 == 0


def test_a_lock_file_whose_pid_belongs_to_another_program_is_cleared(settings: Settings) -> None:
    data = postgres.folder(settings)
    data.mkdir()
    (data / "PG_VERSION").write_text("18\n")
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n/somewhere\n")
    postgres.prepare(settings)
    assert not (data / "postmaster.pid").exists()


@root_only
def test_binaries_where_only_root_may_look_are_copied_where_the_server_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(postgres.wheel_install(), closed / "pginstall")
    monkeypatch.setattr(postgres, "wheel_install", lambda: closed / "pginstall")
    opened = tmp_path.parent.parent.parent / f"cityops-test-{os.getpid()}"
    opened.mkdir(mode=0o755)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(opened))
    monkeypatch.setattr("tempfile.tempdir", str(opened))
    user = postgres.unprivileged_user()
    try:
        first = postgres.install_dir(user)
        assert first.parent == opened
        assert postgres.install_dir(user) == first
    finally:
        shutil.rmtree(opened)
