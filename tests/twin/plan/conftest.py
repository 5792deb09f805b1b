"""One small generated city, shared by the tests that only look at it."""

import pytest

from cityops.twin.plan.generate import generate
from cityops.twin.plan.model import CityPlan

POPULATION, SEED = 60_000, 1


@pytest.fixture(scope="session")
def plan() -> CityPlan:
    return generate(POPULATION, SEED)
