"""Reads one property of an ODCS contract: type, bounds, unit, key, titles."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from cityops.data.contract.marked import Marked
from cityops.data.contract.model import Property, PropertyType

_KEYS = (
    "id name logicalType logicalTypeOptions physicalType physicalName description businessName required primaryKey "
    "primaryKeyPosition classification tags examples quality customProperties authoritativeDefinitions criticalDataElement "
    "transformLogic transformDescription transformSourceObjects"
).split()
_CUSTOM = ("unit", "geometry", "titleEn", "rollup", "lowCardinality")
_BOUNDS: Mapping[str, str] = {
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusiveMinimum": "exclusive_minimum",
    "exclusiveMaximum": "exclusive_maximum",
}
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "string": ("minLength", "maxLength", "pattern"),
    "number": tuple(_BOUNDS),
    "integer": tuple(_BOUNDS),
    "boolean": (),
    "timestamp": (),
    "point": (),
}


def read_property(item: Marked) -> Property:
    """Return the property that `item` declares. Raises ContractError."""
    entry = item.mapping(_KEYS, required=("name", "logicalType"))
    name = entry["name"].text(r"[a-z][a-z0-9_]{0,62}", "a property name (snake_case)")
    custom = entry["customProperties"].custom(_CUSTOM) if "customProperties" in entry else {}
    kind = _kind(entry["logicalType"], custom)
    if "unit" in custom and kind not in ("number", "integer"):
        raise custom["unit"].error(f"a {kind} has no unit")
    if "rollup" in custom and kind not in ("number", "integer"):
        raise custom["rollup"].error(f"a {kind} cannot be rolled up")
    if "lowCardinality" in custom and kind != "string":
        raise custom["lowCardinality"].error("only a string can be of low cardinality")
    key = entry["primaryKey"].flag() if "primaryKey" in entry else False
    required = entry["required"].flag() if "required" in entry else False
    if key and not required:
        raise item.error("a primary key is required: write `required: true`")
    if "primaryKeyPosition" in entry:
        _check_position(entry["primaryKeyPosition"], kind, key=key)
    enum = _enum(entry["quality"], kind) if "quality" in entry else None
    zh = entry["businessName"].text() if "businessName" in entry else name
    return Property(
        name=name,
        type=kind,
        required=required,
        primary_key=key,
        unit=custom["unit"].text(r"[!-~]+", "a UCUM code") if "unit" in custom else None,
        enum=enum,
        description=entry["description"].text().strip() if "description" in entry else "",
        title={"zh": zh, "en": custom["titleEn"].text() if "titleEn" in custom else name},
        classification=entry["classification"].text() if "classification" in entry else None,
        rollup=custom["rollup"].flag() if "rollup" in custom else kind in ("number", "integer"),
        low_cardinality=enum is not None or ("lowCardinality" in custom and custom["lowCardinality"].flag()),
        **_options(entry["logicalTypeOptions"], kind) if "logicalTypeOptions" in entry else {},
    )


def _kind(logical: Marked, custom: Mapping[str, Marked]) -> PropertyType:
    kind = logical.choice(("string", "number", "integer", "boolean", "timestamp", "object"))
    if kind != "object":
        if "geometry" in custom:
            raise custom["geometry"].error(f"a geometry is wanted as logicalType object, found {kind}")
        return kind  # type: ignore[return-value]  # choice() returned one of these
    if "geometry" not in custom:
        raise logical.error("an object is read only as a geometry: add customProperties `geometry: point`")
    custom["geometry"].choice(("point",))
    return "point"


def _check_position(position: Marked, kind: str, *, key: bool) -> None:
    wanted = {"string": 1, "timestamp": 2}.get(kind)
    found = position.whole()
    if not key:
        raise position.error("only a primary key has a position")
    if found != wanted:
        raise position.error(f"the entity has position 1 and the time 2, found {found}")


def _options(options: Marked, kind: str) -> dict[str, object]:
    entry = options.mapping(_OPTIONS[kind])
    found: dict[str, object] = {field: entry[key].number() for key, field in _BOUNDS.items() if key in entry}
    low = max((float(str(found[f])) for f in ("minimum", "exclusive_minimum") if f in found), default=None)
    high = min((float(str(found[f])) for f in ("maximum", "exclusive_maximum") if f in found), default=None)
    if low is not None and high is not None and low > high:
        raise options.error(f"nothing lies between {low:g} and {high:g}")
    for key, field in (("minLength", "min_length"), ("maxLength", "max_length")):
        if key in entry:
            found[field] = entry[key].whole()
    if "pattern" in entry:
        found["pattern"] = pattern = entry["pattern"].text()
        try:
            pc.match_substring_regex(pa.array([""]), pattern)
        except pa.ArrowInvalid as error:
            raise entry["pattern"].error(f"not a regular expression we can check (RE2): {error}") from error
    return found


def _enum(quality: Marked, kind: str) -> tuple[str, ...] | None:
    """Return the values of ODCS' row rule `invalidValues` with `validValues` and `mustBe: 0`, the only one kept on a property."""
    values: tuple[str, ...] | None = None
    for item in quality.items("name"):
        entry = item.mapping(
            ("id", "name", "description", "type", "metric", "arguments", "mustBe", "dimension", "severity", "unit"),
            required=("metric", "arguments", "mustBe"),
        )
        entry["metric"].choice(("invalidValues",))
        if kind != "string":
            raise item.error(f"valid values are listed for strings only, not for a {kind}")
        if values is not None:
            raise item.error("valid values are given twice")
        if entry["mustBe"].number() != 0:
            raise entry["mustBe"].error("0 is wanted: a row that breaks the rule is set aside")
        arguments = entry["arguments"].mapping(("validValues",), required=("validValues",))
        values = tuple(i.text() for i in arguments["validValues"].items())
        if not values or len(set(values)) != len(values):
            raise arguments["validValues"].error("different values are wanted, at least one")
    return values
