"""Loading: what a good file becomes, and that every bad one is refused with its file, line and property."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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


BAD: dict[str, tuple[str, str, int, str, str]] = {
    # what is wrong: old text, new text, line, property, part of the problem
    "an unknown key": ("status: active", "statsu: active", 6, "statsu", "unknown key (did you mean status?)"),
    "a key given twice": ("version: 1.0.0", "version: 1.0.0\nid: other", 6, "id", "given twice"),
    "a missing key": ("version: 1.0.0\n", "", 1, "", "`version` is missing"),
    "another standard": ("apiVersion: v3.1.0", "apiVersion: v2.2.0", 1, "apiVersion", "not an ODCS version we read"),
    "a version that is none": ("version: 1.0.0", "version: '1'", 5, "version", "not a version like 1.0.0"),
    "a number for a text": ("id: noise-observed", "id: 7", 3, "id", "text is wanted, found a whole number"),
    "a bare no for a name": (
        "name: events",
        "name: no",
        16,
        "schema[noise_observed].properties[no].name",
        'found true or false (write it in quotes: "no")',
    ),
    "a name with a dot": ("name: NoiseObserved", "name: Noise.Observed", 4, "name", "CamelCase"),
    "a property name with capitals": (
        "name: laeq",
        "name: LAeq",
        12,
        "schema[noise_observed].properties[LAeq].name",
        "snake_case",
    ),
    "an unknown type": (
        "logicalType: integer",
        "logicalType: date",
        16,
        "schema[noise_observed].properties[events].logicalType",
        "'date' is not one of",
    ),
    "bounds the wrong way round": (
        "{minimum: 0, maximum: 200}",
        "{minimum: 9, maximum: 2}",
        12,
        "schema[noise_observed].properties[laeq]",
        "no number lies between 9 and 2",
    ),
    "a bound that is text": (
        "minimum: 0",
        "minimum: low",
        14,
        "schema[noise_observed].properties[laeq].logicalTypeOptions.minimum",
        "a number is wanted, found text",
    ),
    "a bound that is infinite": (
        "minimum: 0",
        "minimum: -.inf",
        14,
        "schema[noise_observed].properties[laeq].logicalTypeOptions.minimum",
        "finite",
    ),
    "an option we do not check": (
        "{minimum: 0, maximum: 200}",
        "{multipleOf: 5}",
        14,
        "schema[noise_observed].properties[laeq].logicalTypeOptions.multipleOf",
        "unknown key",
    ),
    "a pattern that is none": (
        "logicalType: string,",
        "logicalType: string, logicalTypeOptions: {pattern: '(?<x'},",
        10,
        "schema[noise_observed].properties[station_id].logicalTypeOptions.pattern",
        "RE2",
    ),
    "a unit of a text": (
        "logicalType: string,",
        "logicalType: string, customProperties: [{property: unit, value: m}],",
        10,
        "schema[noise_observed].properties[station_id].customProperties[unit].value",
        "a string has no unit",
    ),
    "an object that is no geometry": (
        ", customProperties: [{property: geometry, value: point}]",
        "",
        17,
        "schema[noise_observed].properties[location].logicalType",
        "geometry: point",
    ),
    "a key that may be null": (
        "logicalType: string, required: true",
        "logicalType: string",
        10,
        "schema[noise_observed].properties[station_id]",
        "required: true",
    ),
    "no entity": (
        "logicalType: string, required: true, primaryKey: true",
        "logicalType: string",
        10,
        "schema[noise_observed].properties",
        "found observed_at (timestamp)",
    ),
    "a column declared twice": (
        "name: events",
        "name: longitude",
        17,
        "schema[noise_observed].properties[location]",
        "column longitude is already that of longitude",
    ),
    "a key named like a rollup's column": (
        "name: station_id",
        "name: laeq_sum",
        12,
        "schema[noise_observed].properties[laeq]",
        "column laeq_sum is already that of every rollup",
    ),
    "a rollup nobody makes": ("[1m, 1h, 1d]", "[5m]", 23, "customProperties[rollups].value[0]", "'5m' is not one of"),
    "a retention for ever": (
        "value: 30, unit: d",
        "value: 999, unit: y",
        20,
        "slaProperties[retention].value",
        "18300",
    ),
    "a retention beyond numbers": (
        "value: 30, unit: d",
        "value: 1.0e+300, unit: y",
        20,
        "slaProperties[retention].value",
        "18300",
    ),
    "an unknown unit of time": ("unit: min", "unit: fortnight", 19, "slaProperties[latency].unit", "'fortnight'"),
    "no retention": (
        "  - {property: retention, value: 30, unit: d}\n",
        "",
        19,
        "slaProperties",
        "`retention` is missing",
    ),
    "nobody responsible": ("role: owner", "role: reader", 21, "team.members", "role owner"),
    "the platform's own table": ("- name: noise_observed", "- name: quarantine", 8, "schema", "the platform's own"),
    "two tables": (
        "slaProperties:",
        "  - {name: other, properties: []}\nslaProperties:",
        8,
        "schema",
        "one table a contract is wanted, found 2",
    ),
    "a service level given twice": (
        "slaProperties:",
        "slaProperties:\n  - {property: latency, value: 1, unit: s}",
        20,
        "slaProperties[latency]",
        "given twice",
    ),
    "a latency of nothing": (
        "value: 2, unit: min",
        "value: 0, unit: min",
        19,
        "slaProperties[latency].value",
        "a positive length of time",
    ),
    "a geometry of a number": (
        "{property: unit, value: dB}",
        "{property: geometry, value: point}",
        15,
        "schema[noise_observed].properties[laeq].customProperties[geometry].value",
        "logicalType object",
    ),
    "a geometry we cannot store": (
        "value: point",
        "value: polygon",
        17,
        "schema[noise_observed].properties[location].customProperties[geometry].value",
        "'polygon' is not one of point",
    ),
    "a custom property given twice": (
        "[{property: unit, value: dB}]",
        "[{property: unit, value: dB}, {property: unit, value: B}]",
        15,
        "schema[noise_observed].properties[laeq].customProperties[unit]",
        "given twice",
    ),
    "a position of no key": (
        "logicalType: integer",
        "logicalType: integer, primaryKeyPosition: 3",
        16,
        "schema[noise_observed].properties[events].primaryKeyPosition",
        "only a primary key has a position",
    ),
    "a wrong position": (
        "logicalType: timestamp, required: true, primaryKey: true",
        "logicalType: timestamp, required: true, primaryKey: true, primaryKeyPosition: 1",
        11,
        "schema[noise_observed].properties[observed_at].primaryKeyPosition",
        "position 1 and the time (timestamp) 2",
    ),
    "a position that is text": (
        "required: true, primaryKey: true}\n      - {name: observed_at",
        "required: true, primaryKey: true, primaryKeyPosition: first}\n      - {name: observed_at",
        10,
        "schema[noise_observed].properties[station_id].primaryKeyPosition",
        "a whole number is wanted, found text",
    ),
    "a length below one": (
        "logicalType: string,",
        "logicalType: string, logicalTypeOptions: {maxLength: 0},",
        10,
        "schema[noise_observed].properties[station_id].logicalTypeOptions.maxLength",
        "0 is below 1",
    ),
    "a flag that is text": (
        "logicalType: integer",
        "logicalType: integer, required: 'yes'",
        16,
        "schema[noise_observed].properties[events].required",
        "true or false is wanted, found text",
    ),
    "a bound that is no day": (
        "minimum: 0",
        "minimum: 2026-02-30",
        14,
        "schema[noise_observed].properties[laeq].logicalTypeOptions.minimum",
        "not a date: '2026-02-30'",
    ),
    "a bound beyond numbers": (
        "minimum: 0",
        f"minimum: 1{'0' * 400}",
        14,
        "schema[noise_observed].properties[laeq].logicalTypeOptions.minimum",
        "finite",
    ),
    "valid values of a number": (
        "logicalType: integer",
        "logicalType: integer, quality: [{metric: invalidValues, arguments: {validValues: ['1']}, mustBe: 0}]",
        16,
        "schema[noise_observed].properties[events].quality",
        "for strings only",
    ),
    "two rules of a property": (
        "logicalType: integer",
        "logicalType: string, quality: []",
        16,
        "schema[noise_observed].properties[events].quality",
        "one rule is wanted",
    ),
    "properties that are a text": (
        "    properties:\n      - {name: station_id",
        "    properties: none\n    tags:\n      - {name: station_id",
        9,
        "schema[noise_observed].properties",
        "a list is wanted, found text",
    ),
    "not YAML": ("status: active", "status: [active", 7, "", "not YAML"),
    "a list for a mapping": ("team: {members:", "team: {members: 3} #", 21, "team.members", "a list is wanted"),
}


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
