"""The project's own contracts: accepted by others' tools, complete, and what the design promises."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from tests.data.contract.conftest import FILES, PACKAGE

from cityops.data.contract import Contracts, load_contract
from cityops.data.contract.installed import installed_contracts

NAMES = {
    "TrafficFlowObserved",
    "TrafficSignalObserved",
    "AirQualityObserved",
    "WeatherObserved",
    "UnitPosition",
    "Alert",
}


def test_an_installation_finds_them_all(contracts: Contracts) -> None:
    assert set(contracts) >= NAMES
    assert dict(installed_contracts()) == dict(contracts)


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_datacontract_lint_accepts(file: Path) -> None:
    tool = Path(sys.executable).with_name("datacontract")
    run = subprocess.run(
        [tool, "lint", file, "--all-errors"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HTTPS_PROXY": "http://127.0.0.1:9", "COLUMNS": "200"},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Data contract is valid" in run.stdout


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_everything_a_screen_or_catalogue_shows_is_declared(file: Path) -> None:
    contract = load_contract(file)
    assert file.name == f"{contract.id}.odcs.yaml"
    assert contract.owner
    assert contract.description
    assert contract.title["zh"] != contract.name
    assert contract.title["en"] != contract.name
    for prop in contract.properties:
        assert prop.description, prop.name
        assert prop.title["en"] != prop.name, prop.name
        assert prop.title["zh"], prop.name
        if prop.type == "number":
            assert prop.unit, prop.name
            assert prop.minimum is not None, prop.name
            assert prop.maximum is not None, prop.name
        if prop.type == "string":
            assert prop.max_length or prop.enum, prop.name


def test_angles_are_not_averaged(contracts: Contracts) -> None:
    angles = [p for c in contracts.values() for p in c.properties if p.unit == "deg"]
    assert angles
    assert not [p.name for p in angles if p.rollup]


def test_series_of_years_may_be_loaded(contracts: Contracts) -> None:
    """The Beijing stations' rows of 2013 must not be older than the contract keeps."""
    assert contracts["AirQualityObserved"].retention > timedelta(days=20 * 365)


def test_contract_files_are_part_of_the_package() -> None:
    assert {file.relative_to(PACKAGE).parts[0] for file in FILES} == {"apps", "business"}
