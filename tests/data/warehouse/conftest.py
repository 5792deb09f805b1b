"""One warehouse process for the tests of this folder; each has a database of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from tests.data.warehouse.serving import Served, serving


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A warehouse that many tests ask; none may stop it."""
    with serving(tmp_path_factory.mktemp("served") / "warehouse") as process:
        yield process


@pytest.fixture
def database(served: Served) -> Iterator[str]:
    """An empty database of the test's own."""
    name = f"t{uuid.uuid4().hex[:12]}"
    served.ask(f"CREATE DATABASE {name}")
    yield name
    served.ask(f"DROP DATABASE {name} SYNC")
