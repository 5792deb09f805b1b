"""The contract of a data set: its properties, keys, service levels, and the schemas that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

PropertyType = Literal["string", "number", "integer", "boolean", "timestamp", "point"]
Rollup = Literal["1m", "1h", "1d"]

ROLLUPS: Mapping[Rollup, timedelta] = {"1m": timedelta(minutes=1), "1h": timedelta(hours=1), "1d": timedelta(days=1)}
"""Rollup steps, shortest first."""

TIMESTAMP = pa.timestamp("ms", tz="UTC")
SYSTEM_FIELDS = (
    pa.field("_arrived_at", TIMESTAMP),
    pa.field("_source", pa.string()),
    pa.field("_stream", pa.string()),
    pa.field("_seq", pa.uint64()),
)
"""Columns every contract table has beside its own: arrival (UTC), source id, log stream and sequence number in it."""

_ARROW: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "timestamp": TIMESTAMP,
}
_WIRE: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "number": pa.float64(),
    "integer": pa.float64(),  # JSON has one kind of number: 3.0 is whole, and 3.5 is refused by rule, not by parser
    "boolean": pa.bool_(),
    "timestamp": pa.string(),
    "point": pa.struct([("type", pa.string()), ("coordinates", pa.list_(pa.float64()))]),
}


@dataclass(frozen=True)
class Property:
    """One property of a contract.

    `unit` is a UCUM code; bounds are inclusive unless named exclusive; `title` has zh and en; `rollup` says whether
    rollups summarise it; `low_cardinality` that its texts repeat, so that the warehouse keeps a dictionary.
    """

    name: str
    type: PropertyType
    required: bool = False
    primary_key: bool = False
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    exclusive_maximum: float | None = None
    enum: tuple[str, ...] | None = None
    pattern: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    description: str = ""
    title: Mapping[str, str] = field(default_factory=dict)
    classification: str | None = None
    rollup: bool = False
    low_cardinality: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the table columns that hold this property: its own name, or longitude and latitude of a point."""
        if self.type != "point":
            return (self.name,)
        prefix = "" if self.name == "location" else f"{self.name}_"
        return (f"{prefix}longitude", f"{prefix}latitude")

    @property
    def fields(self) -> tuple[pa.Field, ...]:
        """Arrow fields of `columns`, all nullable: a null in a required one is data to be set aside, no bad table."""
        return tuple(pa.field(column, _ARROW.get(self.type, pa.float64())) for column in self.columns)


@dataclass(frozen=True)
class Contract:
    """A data set as its file declares it; `freshness` is the age at which a value is stale (frequency + latency)."""

    name: str
    id: str
    version: str
    table: str
    properties: tuple[Property, ...]
    freshness: timedelta
    retention: timedelta
    rollups: tuple[Rollup, ...] = ()
    live: bool = False
    classification: str = "internal"
    owner: str = ""
    domain: str = ""
    title: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    path: Path = field(default=Path(), compare=False)

    def __hash__(self) -> int:
        return hash((self.id, self.version))  # the titles are dicts, which have no hash

    @cached_property
    def by_name(self) -> Mapping[str, Property]:
        """Properties by their names."""
        return {p.name: p for p in self.properties}

    @cached_property
    def primary_key(self) -> tuple[str, ...]:
        """Names of the key: entity, then time."""
        return (self.entity, self.time)

    @cached_property
    def entity(self) -> str:
        """Name of the property that identifies the thing observed."""
        return next(p.name for p in self.properties if p.primary_key and p.type == "string")

    @cached_property
    def time(self) -> str:
        """Name of the property that holds the time of the observation."""
        return next(p.name for p in self.properties if p.primary_key and p.type == "timestamp")

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        """Typed columns: timestamps in ms UTC, numbers float64, whole numbers int64, a point as two float64 columns."""
        return pa.schema([f for p in self.properties for f in p.fields])

    @cached_property
    def table_schema(self) -> pa.Schema:
        """`arrow_schema` and the system columns: a row of the warehouse table and of the live feed."""
        return pa.schema([*self.arrow_schema, *SYSTEM_FIELDS])

    @cached_property
    def wire_schema(self) -> pa.Schema:
        """For pyarrow.json: timestamps as text, a point as GeoJSON struct<type, coordinates>, numbers as float64."""
        return pa.schema([pa.field(p.name, _WIRE[p.type]) for p in self.properties])

    @cached_property
    def json_schema(self) -> dict[str, Any]:
        """JSON Schema (draft 2020-12) of one observation as a JSON object."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"urn:cityops:contract:{self.id}:{self.version}",
            "title": self.name,
            "description": self.description,
            "type": "object",
            "properties": {p.name: _property_json_schema(p) for p in self.properties},
            "required": [p.name for p in self.properties if p.required],
            "additionalProperties": True,
        }


def _property_json_schema(p: Property) -> dict[str, Any]:
    schema: dict[str, Any] = {"title": p.title.get("en", p.name), "description": p.description}
    match p.type:
        case "timestamp":
            schema |= {"type": "string", "format": "date-time"}
        case "point":
            schema |= _GEOJSON_POINT
        case _:
            schema["type"] = p.type
    for key, value in (
        ("minimum", p.minimum),
        ("maximum", p.maximum),
        ("exclusiveMinimum", p.exclusive_minimum),
        ("exclusiveMaximum", p.exclusive_maximum),
        ("enum", None if p.enum is None else list(p.enum)),
        ("pattern", p.pattern),
        ("minLength", 1 if p.type == "string" and p.required and not p.min_length else p.min_length),
        ("maxLength", p.max_length),
        ("x-unit", p.unit),
    ):
        if value is not None:
            schema[key] = value
    if not p.required:
        schema = {"anyOf": [schema, {"type": "null"}]}
    return schema


_GEOJSON_POINT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "type": {"const": "Point"},
        "coordinates": {
            "type": "array",
            "prefixItems": [
                {"type": "number", "minimum": -180, "maximum": 180},
                {"type": "number", "minimum": -90, "maximum": 90},
            ],
            "minItems": 2,
        },
    },
    "required": ["type", "coordinates"],
}
