"""Reads Open Data Contract Standard (v3.1) files into contracts; what a contract says and we cannot keep is an error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from cityops.data.contract.errors import ContractError, UnknownContractError
from cityops.data.contract.marked import Marked, read_marked
from cityops.data.contract.model import ROLLUPS, Contract, Property
from cityops.data.contract.property_loader import read_property
from cityops.data.contract.tables import relations

MAXIMUM_RETENTION = timedelta(days=50 * 366)
"""Older times would leave the range of ClickHouse's DateTime (1970) in the rollups."""

_TOP = (
    "apiVersion kind id name version status tenant domain dataProduct tags description schema slaProperties slaDefaultElement "
    "team roles support price servers authoritativeDefinitions customProperties contractCreatedTs"
).split()
_SCHEMA = (
    "id name physicalName physicalType logicalType businessName description tags dataGranularityDescription "
    "authoritativeDefinitions customProperties quality properties"
).split()
_UNITS: Mapping[str, timedelta] = {
    unit: length
    for units, length in (
        ("s sec second seconds", timedelta(seconds=1)),
        ("min minute minutes", timedelta(minutes=1)),
        ("h hour hours", timedelta(hours=1)),
        ("d day days", timedelta(days=1)),
        ("w week weeks", timedelta(weeks=1)),
        ("y yr year years", timedelta(days=365.25)),
    )
    for unit in units.split()
}


class Contracts(Mapping[str, Contract]):
    """Contracts by name; a name nobody declared raises UnknownContractError, a KeyError that lists the known names."""

    def __init__(self, contracts: Iterable[Contract]) -> None:
        self._contracts: dict[str, Contract] = {}
        taken: dict[str, Contract] = {}
        for contract in contracts:
            if other := self._contracts.get(contract.name):
                raise ContractError(contract.path, 1, "name", f"{contract.name} is declared in {other.path} too")
            for relation in relations(contract):
                if clash := taken.get(relation):
                    raise ContractError(contract.path, 1, "schema", f"table {relation} belongs to {clash.name} ({clash.path}) too")
                taken[relation] = contract
            self._contracts[contract.name] = contract

    def __getitem__(self, name: str) -> Contract:
        try:
            return self._contracts[name]
        except KeyError:
            raise UnknownContractError(name, self._contracts) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._contracts)

    def __len__(self) -> int:
        return len(self._contracts)


def load_contracts(paths: Iterable[Path]) -> Contracts:
    """Return the contracts of the files, and of the `*.odcs.yaml` files of the folders, named by `paths`. Raises ContractError."""
    files: list[Path] = []
    for path in paths:
        files += sorted(path.glob("*.odcs.yaml")) if path.is_dir() else [path]
    return Contracts(load_contract(file) for file in files)


def load_contract(path: Path) -> Contract:
    """Return the contract of one ODCS v3.1 file. Raises ContractError naming file, line and property."""
    document = read_marked(path)
    top = document.mapping(_TOP, required=("apiVersion", "kind", "id", "name", "version", "status", "schema", "slaProperties"))
    top["apiVersion"].text(r"v3\.1\.\d+", "an ODCS version we read (v3.1.0)")
    top["kind"].choice(("DataContract",))
    top["status"].choice(("proposed", "draft", "active", "deprecated", "retired"))
    schema, table = _only_schema(top["schema"])
    properties = tuple(read_property(item) for item in schema["properties"].items("name"))
    _check_properties(schema["properties"], properties)
    sla = _service_levels(top["slaProperties"])
    custom = top["customProperties"].custom(("live", "rollups", "classification")) if "customProperties" in top else {}
    schema_custom = schema["customProperties"].custom(("titleEn",)) if "customProperties" in schema else {}
    name = top["name"].text(r"[A-Z][A-Za-z0-9]{0,79}", "a contract name (CamelCase, no dots)")
    contract = Contract(
        name=name,
        id=top["id"].text(),
        version=top["version"].text(r"\d+\.\d+\.\d+", "a version like 1.0.0"),
        table=table,
        properties=properties,
        freshness=sla.get("frequency", timedelta()) + sla["latency"],
        retention=sla["retention"],
        rollups=tuple(sorted({i.choice(ROLLUPS) for i in custom["rollups"].items()}, key=list(ROLLUPS).index)) if "rollups" in custom else (),
        live=custom["live"].flag() if "live" in custom else False,
        classification=custom["classification"].choice(("public", "internal", "restricted", "confidential")) if "classification" in custom else "internal",
        owner=_owner(top["team"]) if "team" in top else "",
        domain=top["domain"].text() if "domain" in top else "",
        title={"zh": schema["businessName"].text() if "businessName" in schema else name, "en": schema_custom["titleEn"].text() if "titleEn" in schema_custom else name},
        description=_purpose(top.get("description")),
        path=path,
    )
    _check_quality(schema.get("quality"), contract)
    return contract


def _only_schema(schemas: Marked) -> tuple[dict[str, Marked], str]:
    items = schemas.items("name")
    if len(items) != 1:
        raise schemas.error(f"one table a contract is wanted, found {len(items)}")
    schema = items[0].mapping(_SCHEMA, required=("name", "properties"))
    if "physicalType" in schema:
        schema["physicalType"].choice(("table",))
    named = schema.get("physicalName", schema["name"])
    return schema, named.text(r"[a-z][a-z0-9_]{0,79}", "a table name (snake_case)")


def _check_properties(listed: Marked, properties: tuple[Property, ...]) -> None:
    """Keys and column names: exactly one text and one timestamp key in this order, no column twice."""
    items = listed.items("name")
    keys = [p for p in properties if p.primary_key]
    if [p.type for p in keys] != ["string", "timestamp"]:
        found = ", ".join(f"{p.name} ({p.type})" for p in keys) or "none"
        raise listed.error(f"the primary key is wanted as one string (the entity), then one timestamp; found {found}")
    seen: dict[str, str] = {}
    for item, prop in zip(items, properties, strict=True):
        for column in prop.columns:
            if column in seen:
                raise item.error(f"column {column} is already that of property {seen[column]}")
            seen[column] = prop.name


def _service_levels(levels: Marked) -> dict[str, timedelta]:
    found: dict[str, timedelta] = {}
    for item in levels.items("property"):
        entry = item.mapping(("id", "property", "value", "unit", "element", "driver", "description"), required=("property", "value", "unit"))
        name = entry["property"].choice(("frequency", "latency", "retention"))
        if name in found:
            raise item.error("given twice")
        length = entry["value"].number() * _UNITS[entry["unit"].choice(_UNITS)]
        if length <= timedelta():
            raise entry["value"].error("a positive length of time is wanted")
        if name == "retention" and not timedelta(days=1) <= length <= MAXIMUM_RETENTION:
            raise entry["value"].error("retention is wanted between 1 d and 50 y")
        found[name] = length
    for name in ("latency", "retention"):
        if name not in found:
            raise levels.error(f"property `{name}` is missing")
    return found


def _owner(team: Marked) -> str:
    members = team.mapping(("id", "name", "description", "members", "tags"), required=("members",))["members"]
    for item in members.items("username"):
        entry = item.mapping(("id", "username", "name", "description", "role", "dateIn", "dateOut", "tags"), required=("username",))
        if "role" in entry and entry["role"].text() == "owner":
            return entry["username"].text()
    raise members.error("a member with role owner is wanted")


def _purpose(description: Marked | None) -> str:
    if description is None:
        return ""
    entry = description.mapping(("purpose", "usage", "limitations", "authoritativeDefinitions", "customProperties"))
    return entry["purpose"].text().strip() if "purpose" in entry else ""


def _check_quality(quality: Marked | None, contract: Contract) -> None:
    """Accept the one table rule the pipeline keeps: no two rows of one primary key."""
    for item in quality.items("name") if quality else ():
        entry = item.mapping(
            ("id", "name", "description", "type", "metric", "arguments", "mustBe", "dimension", "severity", "unit"),
            required=("metric", "mustBe"),
        )
        entry["metric"].choice(("duplicateValues",))
        arguments = entry["arguments"].mapping(("properties",), required=("properties",)) if "arguments" in entry else {}
        named = [i.text() for i in arguments["properties"].items()] if arguments else []
        if set(named) != set(contract.primary_key) or entry["mustBe"].number() != 0:
            raise item.error(f"only `mustBe: 0` over the primary key ({', '.join(contract.primary_key)}) is kept")
