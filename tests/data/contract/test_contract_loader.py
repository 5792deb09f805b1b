"""Loading: what a good file becomes, and that every bad one is refused with its file, line and property."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.contract.bad_files import BAD
from tests.data.contract.conftest import EXAMPLE

from cityops.data.contract import (
    Contract,
    ContractError,
    Contracts,
    UnknownContractError,
    load_contract,
    load_contracts,
)

_SPLINTERS = st.sampled_from(
    ["", "~", "- ", ": ", "{", "]", "'", "&a ", "*a", "!!int ", "1e9", "\n", "\t", "|\n", "0x", "路"]
)
Write = Callable[..., Path]
Example = Callable[..., Contract]


def test_a_file_becomes_a_contract(example: Example) -> None:
    contract = example()
    assert (contract.name, contract.table, contract.version) == ("NoiseObserved", "noise_observed", "1.0.0")
    assert (contract.entity, contract.time, contract.primary_key) == (
        "station_id",
        "observed_at",
        ("station_id", "observed_at"),
    )
    assert contract.rollups == ("1m", "1h", "1d")
    assert contract.retention == timedelta(days=30)
    assert contract.owner == "environment-bureau"
    laeq = contract.by_name["laeq"]
    assert (laeq.type, laeq.unit, laeq.minimum, laeq.maximum, laeq.rollup) == ("number", "dB", 0, 200, True)
    assert contract.by_name["location"].columns == ("longitude", "latitude")


def test_a_value_is_stale_once_the_next_is_overdue(example: Example) -> None:
    assert example().freshness == timedelta(minutes=2)
    with_frequency = ("slaProperties:", "slaProperties:\n  - {property: frequency, value: 60, unit: s}")
    assert example(with_frequency).freshness == timedelta(minutes=3)


def test_a_team_may_be_a_bare_list(example: Example) -> None:
    team = "team: {members: [{username: environment-bureau, role: owner}]}"
    assert example((team, "team: [{username: a, role: reader}, {username: b, role: owner}]")).owner == "b"
    assert example((team + "\n", "")).owner == ""


def test_a_second_point_has_columns_of_its_own(example: Example) -> None:
    assert example(("name: location", "name: source")).by_name["source"].columns == (
        "source_longitude",
        "source_latitude",
    )


@pytest.mark.parametrize("wrong", BAD)
def test_a_bad_file_is_refused_with_its_place(wrong: str, write: Write) -> None:
    old, new, line, place, problem = BAD[wrong]
    path = write((old, new))
    with pytest.raises(ContractError) as refused:
        load_contract(path)
    error = refused.value
    assert (error.path, error.line, error.property) == (path, line, place), str(error)
    assert problem in error.problem
    assert str(error).startswith(f"{path}:{line}: ")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"# nothing\n",
        b"\xff\xfe",
        b"a: &x [*x]\n",
        b"\tkey: value",
        b"- 1",
        b"42",
        b"a: !!python/none 1",
        b"[" * 5000,
    ],
)
def test_a_file_that_is_no_contract_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.odcs.yaml"
    path.write_bytes(content)
    with pytest.raises(ContractError, match=r"bad\.odcs\.yaml:1: "):
        load_contract(path)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_file_damaged_anywhere_is_read_or_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "damaged.odcs.yaml"
    start = data.draw(st.integers(0, len(EXAMPLE)))
    end = start + data.draw(st.integers(0, 12))
    path.write_text(EXAMPLE[:start] + data.draw(_SPLINTERS) + EXAMPLE[end:], "utf-8")
    try:
        contract = load_contract(path)
    except ContractError as refused:
        message, line = str(refused), refused.line
        assert message.startswith(f"{path}:{line}: ")
    else:
        assert contract.arrow_schema
        assert contract.json_schema


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="cannot be read"):
        load_contract(tmp_path / "none.odcs.yaml")


def test_valid_values_come_from_a_quality_rule(example: Example) -> None:
    rule = "{metric: invalidValues, arguments: {validValues: [day, night]}, mustBe: 0}"
    contract = example(("logicalType: integer", f"logicalType: string, quality: [{rule}]"))
    assert contract.by_name["events"].enum == ("day", "night")


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("{metric: rowCount, arguments: {}, mustBe: 0}", "'rowCount' is not one of invalidValues"),
        ("{metric: invalidValues, arguments: {validValues: [a]}, mustBe: 3}", "0 is wanted"),
        ("{metric: invalidValues, arguments: {validValues: [a, a]}, mustBe: 0}", "different values"),
        ("{metric: invalidValues, arguments: {validValues: [1]}, mustBe: 0}", "text is wanted"),
    ],
)
def test_a_quality_rule_nobody_keeps_is_refused(rule: str, problem: str, write: Write) -> None:
    path = write(("logicalType: integer", f"logicalType: string, quality: [{rule}]"))
    with pytest.raises(ContractError, match=problem):
        load_contract(path)


def test_uniqueness_is_kept_for_the_primary_key_alone(write: Write) -> None:
    rule = "    quality: [{metric: duplicateValues, arguments: {properties: [%s]}, mustBe: 0}]\n    properties:"
    load_contract(write(("    properties:", rule % "station_id, observed_at")))
    with pytest.raises(ContractError, match="primary key"):
        load_contract(write(("    properties:", rule % "station_id")))


def test_a_name_nobody_declared_lists_the_known_ones(contracts: Contracts) -> None:
    with pytest.raises(UnknownContractError) as unknown:
        contracts["traffic_flow_observd"]
    assert "did you mean TrafficFlowObserved?" in str(unknown.value)
    assert "Alert, TrafficFlowObserved" in str(unknown.value)
    assert contracts.get("nothing") is None
    assert "Alert" in contracts


def test_two_files_may_not_claim_one_name_or_table(write: Write, tmp_path: Path) -> None:
    write(file="a.odcs.yaml")
    write(file="b.odcs.yaml")
    with pytest.raises(ContractError, match=r"NoiseObserved is declared in .*a\.odcs\.yaml too"):
        load_contracts([tmp_path])
    write(
        ("name: NoiseObserved", "name: Other"),
        ("- name: noise_observed", "- name: noise_observed_1m"),
        file="b.odcs.yaml",
    )
    with pytest.raises(ContractError, match="table noise_observed_1m is one of NoiseObserved's"):
        load_contracts([tmp_path])
