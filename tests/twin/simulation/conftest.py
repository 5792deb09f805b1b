"""A small town, made once a session by the real network builder."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.twin.simulation.town import write_town

from cityops.twin.simulation.city import SimulatedCity, open_city


@pytest.fixture(scope="session")
def town_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A city folder that tests only read."""
    folder = tmp_path_factory.mktemp("town") / "city"
    write_town(folder)
    return folder


@pytest.fixture(scope="session")
def city(town_folder: Path) -> SimulatedCity:
    """The town as the simulators know it."""
    return open_city(town_folder)
