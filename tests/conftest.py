"""Fixtures shared by all tests: engines started once a session, on free ports, in a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engines import Engines, any_ports, engines

from cityops.settings import Settings

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """A NATS server with JetStream and MQTT; streams are made by `bus.ensure_all`."""
    with engines(any_ports(tmp_path_factory.mktemp("nats")), ["nats"]) as started:
        yield started


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """A PostgreSQL server with an empty database; `database.upgrade` makes the tables."""
    with engines(any_ports(tmp_path_factory.mktemp("postgres")), ["postgres"]) as started:
        yield started


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """An empty warehouse behind ClickHouse's HTTP protocol."""
    with engines(any_ports(tmp_path_factory.mktemp("warehouse")), ["warehouse"]) as started:
        yield started


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """All three engines, with streams and tables made: what work roles expect to find."""
    with engines(
        any_ports(tmp_path_factory.mktemp("platform")), ["nats", "postgres", "warehouse", "migrate"]
    ) as started:
        yield started


@pytest.fixture
def own_nats(tmp_path: Path) -> Iterator[Engines]:
    """A NATS server of this test's own, which it may kill or fill (0.3 s)."""
    with engines(any_ports(tmp_path), ["nats"]) as started:
        yield started


@pytest.fixture
def own_platform(tmp_path: Path) -> Iterator[Engines]:
    """All three engines of this test's own, with streams and tables made."""
    with engines(any_ports(tmp_path), ["nats", "postgres", "warehouse", "migrate"]) as started:
        yield started


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings on an empty folder, nothing running."""
    return any_ports(tmp_path)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real input beside the repository; the test is skipped where there is none."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the real input at {SHARED_DATA}")
    return SHARED_DATA
