"""Reads Open Data Contract Standard (v3.1) files; what a contract says and we cannot keep is an error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from cityops.data.contract.errors import ContractError, UnknownContractError
from cityops.data.contract.marked import Entries, Marked, read_marked
from cityops.data.contract.model import ROLLUPS, Contract, Property, Rollup
from cityops.data.contract.property_loader import QUALITY_KEYS, read_property
from cityops.data.contract.tables import QUARANTINE, ROLLUP_SUFFIXES, relations

MAXIMUM_RETENTION = timedelta(days=50 * 366)
"""Older times would leave the range of ClickHouse's DateTime (1970) in the rollups."""

_TOP = [
    "apiVersion",
    "kind",
    "id",
    "name",
    "version",
    "status",
    "tenant",
    "domain",
    "dataProduct",
    "tags",
    "description",
    "schema",
    "slaProperties",
    "slaDefaultElement",
    "team",
    "roles",
    "support",
    "price",
    "servers",
    "authoritativeDefinitions",
    "customProperties",
    "contractCreatedTs",
]
_SCHEMA = [
    "id",
    "name",
    "physicalName",
    "physicalType",
    "logicalType",
    "businessName",
    "description",
    "tags",
    "dataGranularityDescription",
    "authoritativeDefinitions",
    "customProperties",
    "quality",
    "properties",
]
_REQUIRED = ("apiVersion", "kind", "id", "name", "version", "status", "schema", "slaProperties")
_LEVEL = ("id", "property", "value", "unit", "element", "driver", "description")
_MEMBER = ("id", "username", "name", "description", "role", "dateIn", "dateOut", "tags")
_CLASSES = ("public", "internal", "restricted", "confidential")
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
        owners: dict[str, Contract] = {}
        for contract in contracts:
            if other := self._contracts.get(contract.name):
                raise ContractError(contract.path, 1, "name", f"{contract.name} is declared in {other.path} too")
            for relation in relations(contract):
                if other := owners.get(relation):
                    problem = f"table {relation} is one of {other.name}'s ({other.path})"
                    raise ContractError(contract.path, 1, "schema", problem)
                owners[relation] = contract
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
    """Return the contracts of files and of the `*.odcs.yaml` files of folders. Raises ContractError."""
    files: list[Path] = []
    for path in paths:
        files += sorted(path.glob("*.odcs.yaml")) if path.is_dir() else [path]
    return Contracts(load_contract(file) for file in files)


def load_contract(path: Path) -> Contract:
    """Return the contract of one ODCS v3.1 file. Raises ContractError naming file, line and property."""
    top = read_marked(path).mapping(_TOP, required=_REQUIRED)
    top["apiVersion"].text(r"v3\.1\.\d+", "an ODCS version we read (v3.1.0)")
    top["kind"].choice(("DataContract",))
    top["status"].choice(("proposed", "draft", "active", "deprecated", "retired"))
    name = top["name"].text(r"[A-Z][A-Za-z0-9]{0,79}", "a contract name (CamelCase, no dots)")
    schema, table = _only_schema(top["schema"])
    properties = tuple(read_property(item) for item in schema["properties"].items("name"))
    _check_properties(schema["properties"], properties)
    levels = _service_levels(top["slaProperties"])
    custom = top.custom(("live", "rollups", "classification"))
    contract = Contract(
        name=name,
        id=top["id"].text(r"[a-z0-9][a-z0-9.-]{0,79}", "an id (lower case, digits, `-`, `.`)"),
        version=top["version"].text(r"\d+\.\d+\.\d+", "a version like 1.0.0"),
        table=table,
        properties=properties,
        freshness=levels.get("frequency", timedelta()) + levels["latency"],
        retention=levels["retention"],
        rollups=_rollups(custom),
        live=custom.flag("live"),
        classification=custom["classification"].choice(_CLASSES) if "classification" in custom else "internal",
        owner=_owner(top["team"]) if "team" in top else "",
        domain=top.text("domain"),
        title={"zh": schema.text("businessName", name), "en": schema.custom(("titleEn",)).text("titleEn", name)},
        description=_purpose(top),
        path=path,
    )
    _check_quality(schema, contract)
    return contract


def _only_schema(schemas: Marked) -> tuple[Entries, str]:
    items = schemas.items("name")
    if len(items) != 1:
        raise schemas.error(f"one table a contract is wanted, found {len(items)}")
    schema = items[0].mapping(_SCHEMA, required=("name", "properties"))
    if "physicalType" in schema:
        schema["physicalType"].choice(("table",))
    table = schema.get("physicalName", schema["name"]).text(r"[a-z][a-z0-9_]{0,79}", "a table name (snake_case)")
    if table == QUARANTINE:
        raise schemas.error(f"table {table} is the platform's own")
    return schema, table


def _check_properties(listed: Marked, properties: tuple[Property, ...]) -> None:
    """Keys and column names: exactly one text and one timestamp key in this order; no column twice."""
    keys = [p for p in properties if p.primary_key]
    if [p.type for p in keys] != ["string", "timestamp"]:
        found = ", ".join(f"{p.name} ({p.type})" for p in keys) or "none"
        raise listed.error(f"the primary key is wanted as one string (the entity), then one timestamp; found {found}")
    rows: dict[str, str] = {}
    rollups = dict.fromkeys((*(p.name for p in keys), "n"), "every rollup")
    for item, prop in zip(listed.items("name"), properties, strict=True):
        added = [f"{prop.name}_{suffix}" for suffix in ROLLUP_SUFFIXES] if prop.rollup else []
        for taken, columns in ((rows, prop.columns), (rollups, added)):
            for column in columns:
                if column in taken:
                    raise item.error(f"column {column} is already that of {taken[column]}")
                taken[column] = prop.name


def _service_levels(levels: Marked) -> dict[str, timedelta]:
    found: dict[str, timedelta] = {}
    for item in levels.items("property"):
        entry = item.mapping(_LEVEL, required=("property", "value", "unit"))
        name = entry["property"].choice(("frequency", "latency", "retention"))
        if name in found:
            raise item.error("given twice")
        try:
            length = entry["value"].number() * _UNITS[entry["unit"].choice(_UNITS)]
        except OverflowError:
            length = timedelta.max
        if length <= timedelta():
            raise entry["value"].error("a positive length of time is wanted")
        low, high = (
            (timedelta(days=1), MAXIMUM_RETENTION) if name == "retention" else (timedelta(), timedelta(days=3660))
        )
        if not low <= length <= high:
            raise entry["value"].error(f"{name} is wanted between {low.days} d and {high.days} d")
        found[name] = length
    for name in ("latency", "retention"):
        if name not in found:
            raise levels.error(f"property `{name}` is missing")
    return found


def _rollups(custom: Entries) -> tuple[Rollup, ...]:
    if "rollups" not in custom:
        return ()
    declared = {item.choice(ROLLUPS) for item in custom["rollups"].items()}
    return tuple(step for step in ROLLUPS if step in declared)


def _owner(team: Marked) -> str:
    members = team  # a bare list is the form of ODCS 3.0, valid until 4.0
    if not team.is_list:
        members = team.mapping(("id", "name", "description", "members", "tags"), required=("members",))["members"]
    for item in members.items("username"):
        member = item.mapping(_MEMBER, required=("username",))
        if member.text("role") == "owner":
            return member.text("username")
    raise members.error("a member with role owner is wanted")


def _purpose(top: Entries) -> str:
    if "description" not in top:
        return ""
    known = ("purpose", "usage", "limitations", "authoritativeDefinitions", "customProperties")
    return top["description"].mapping(known).text("purpose")


def _check_quality(schema: Entries, contract: Contract) -> None:
    """Accept the one table rule the pipeline keeps: no two rows of one primary key."""
    for item in schema["quality"].items() if "quality" in schema else ():
        entry = item.mapping(QUALITY_KEYS, required=("metric", "mustBe", "arguments"))
        entry["metric"].choice(("duplicateValues",))
        arguments = entry["arguments"].mapping(("properties",), required=("properties",))
        named = {i.text() for i in arguments["properties"].items()}
        if named != set(contract.primary_key) or entry["mustBe"].number() != 0:
            raise item.error(f"only `mustBe: 0` over the primary key ({', '.join(contract.primary_key)}) is kept")
