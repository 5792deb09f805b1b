"""Reads one property of an ODCS contract: type, bounds, unit, key, titles."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from cityops.data.contract.marked import Entries, Marked
from cityops.data.contract.model import Property, PropertyType

_KEYS = [
    "id",
    "name",
    "logicalType",
    "logicalTypeOptions",
    "physicalType",
    "physicalName",
    "description",
    "businessName",
    "required",
    "primaryKey",
    "primaryKeyPosition",
    "classification",
    "tags",
    "examples",
    "quality",
    "customProperties",
    "authoritativeDefinitions",
    "criticalDataElement",
    "transformLogic",
    "transformDescription",
    "transformSourceObjects",
]
_CUSTOM = ("unit", "geometry", "titleEn", "rollup", "lowCardinality")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
QUALITY_KEYS = ("id", "name", "description", "type", "metric", "arguments", "mustBe", "dimension", "severity", "unit")
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "string": ("minLength", "maxLength", "pattern"),
    "number": _BOUNDS,
    "integer": _BOUNDS,
    "boolean": (),
    "timestamp": (),
    "point": (),
}


def read_property(item: Marked) -> Property:
    """Return the property that `item` declares. Raises ContractError."""
    entry = item.mapping(_KEYS, required=("name", "logicalType"))
    name = entry["name"].text(r"[a-z][a-z0-9_]{0,62}", "a property name (snake_case)")
    custom = entry.custom(_CUSTOM)
    kind = _kind(entry["logicalType"], custom)
    numeric = kind in ("number", "integer")
    for only, fits in (("unit", numeric), ("rollup", numeric), ("lowCardinality", kind == "string")):
        if only in custom and not fits:
            raise custom[only].error(f"a {kind} has no {only}")
    enum = _enum(entry["quality"], kind) if "quality" in entry else None
    options = entry["logicalTypeOptions"].mapping(_OPTIONS[kind]) if "logicalTypeOptions" in entry else Entries()
    bounds = {key: options[key].number() for key in _BOUNDS if key in options}
    _check_bounds(item, bounds)
    required = entry.flag("required")
    return Property(
        name=name,
        type=kind,
        required=required,
        primary_key=_is_key(item, entry, kind, required=required),
        unit=custom["unit"].text(r"[!-~]+", "a UCUM code") if "unit" in custom else None,
        minimum=bounds.get("minimum"),
        maximum=bounds.get("maximum"),
        exclusive_minimum=bounds.get("exclusiveMinimum"),
        exclusive_maximum=bounds.get("exclusiveMaximum"),
        enum=enum,
        pattern=_pattern(options["pattern"]) if "pattern" in options else None,
        min_length=options["minLength"].whole() if "minLength" in options else None,
        max_length=options["maxLength"].whole(1) if "maxLength" in options else None,
        description=entry.text("description"),
        title={"zh": entry.text("businessName", name), "en": custom.text("titleEn", name)},
        classification=entry.text("classification") or None,
        rollup=numeric and custom.flag("rollup", default=True),
        low_cardinality=enum is not None or custom.flag("lowCardinality"),
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


def _is_key(item: Marked, entry: Entries, kind: str, *, required: bool) -> bool:
    key = entry.flag("primaryKey")
    if key and not required:
        raise item.error("a primary key is required: write `required: true`")
    if "primaryKeyPosition" in entry:
        position = entry["primaryKeyPosition"]
        if not key:
            raise position.error("only a primary key has a position")
        if position.whole() != {"string": 1, "timestamp": 2}.get(kind):
            raise position.error("the entity (string) has position 1 and the time (timestamp) 2")
    return key


def _check_bounds(item: Marked, bounds: Mapping[str, float]) -> None:
    low = max((bounds[key] for key in ("minimum", "exclusiveMinimum") if key in bounds), default=-math.inf)
    high = min((bounds[key] for key in ("maximum", "exclusiveMaximum") if key in bounds), default=math.inf)
    if low > high:
        raise item.error(f"no number lies between {low:g} and {high:g}")


def _pattern(given: Marked) -> str:
    pattern = given.text()
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        raise given.error(f"not a regular expression we can check (RE2): {error}") from error
    return pattern


def _enum(quality: Marked, kind: str) -> tuple[str, ...]:
    """Return the values of the one rule kept on a property: ODCS `invalidValues` with `validValues`, `mustBe: 0`."""
    rules = quality.items()
    if len(rules) != 1:
        raise quality.error("one rule is wanted, the list of valid values")
    entry = rules[0].mapping(QUALITY_KEYS, required=("metric", "arguments", "mustBe"))
    entry["metric"].choice(("invalidValues",))
    if kind != "string":
        raise quality.error(f"valid values are listed for strings only, not for a {kind}")
    if entry["mustBe"].number() != 0:
        raise entry["mustBe"].error("0 is wanted: a row that breaks the rule is set aside")
    listed = entry["arguments"].mapping(("validValues",), required=("validValues",))["validValues"]
    values = tuple(item.text() for item in listed.items())
    if not values or len(set(values)) != len(values):
        raise listed.error("different values are wanted, at least one")
    return values
