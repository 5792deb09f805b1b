"""Fixtures of the contract tests: the project's own contracts, a writer of others, a real engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.data.contract.chdb_worker import Engine

import cityops
from cityops.data.contract import Contract, Contracts, load_contract, load_contracts

PACKAGE = Path(cityops.__file__).parent
FILES = sorted(PACKAGE.glob("*/*/contracts/*.odcs.yaml"))

EXAMPLE = """\
apiVersion: v3.1.0
kind: DataContract
id: noise-observed
name: NoiseObserved
version: 1.0.0
status: active
schema:
  - name: noise_observed
    properties:
      - {name: station_id, logicalType: string, required: true, primaryKey: true}
      - {name: observed_at, logicalType: timestamp, required: true, primaryKey: true}
      - name: laeq
        logicalType: number
        logicalTypeOptions: {minimum: 0, maximum: 200}
        customProperties: [{property: unit, value: dB}]
      - {name: events, logicalType: integer}
      - {name: location, logicalType: object, customProperties: [{property: geometry, value: point}]}
slaProperties:
  - {property: latency, value: 2, unit: min}
  - {property: retention, value: 30, unit: d}
team: {members: [{username: environment-bureau, role: owner}]}
customProperties:
  - {property: rollups, value: [1m, 1h, 1d]}
"""


@pytest.fixture(scope="session")
def contracts() -> Contracts:
    return load_contracts(FILES)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write the example contract with `(old, new)` texts replaced; return its path."""

    def written(*changes: tuple[str, str], file: str = "example.odcs.yaml") -> Path:
        text = EXAMPLE
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / file
        path.write_text(text, "utf-8")
        return path

    return written


@pytest.fixture
def example(write: Callable[..., Path]) -> Callable[..., Contract]:
    """Load the example contract with `(old, new)` texts replaced."""
    return lambda *changes: load_contract(write(*changes))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("chdb")) as started:
        yield started
