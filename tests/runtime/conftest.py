"""Supervisors that tests start, ended whatever the test did."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.runtime.up_process import Up

from cityops.runtime import records


@pytest.fixture
def start() -> Iterator[type[Up]]:
    """A class whose instances are supervisors; all of them are ended after the test."""
    started: list[Up] = []

    class Tracked(Up):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)  # type: ignore[arg-type]
            started.append(self)

    yield Tracked
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        records.end_leftovers(one.data_dir / "run", grace_seconds=2)
