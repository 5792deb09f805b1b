"""Mapping files: how a source's fields, units, codes, places and times become a contract's."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np

from cityops.data.contract import Contract, ContractError, Contracts, Property
from cityops.data.contract.errors import suggestion
from cityops.data.contract.marked import Marked, parse_marked
from cityops.data.edge import compass
from cityops.data.edge.units import Conversion, UnitError, conversion
from cityops.technology.geo.coordinates import SYSTEMS, to_wgs84

Wanted = Literal["text", "number", "integer", "boolean", "point"]
"""Kind of JSON value a mapping expects of a source field."""

Plain = str | float | bool | None
_ZONELESS = ("iso", "epoch_s", "epoch_ms")


class MappingError(ValueError):
    """A mapping that cannot be used; the message names file, line and field."""


@dataclass(frozen=True)
class Value:
    """One source field, by its dotted path, through `codes` when given; an unknown code breaks the row or is null."""

    source: str
    wanted: Wanted
    codes: Mapping[str, Plain] | None = None
    unknown_is_null: bool = False
    fold_case: bool = False


@dataclass(frozen=True)
class Constant:
    """The same value for every row."""

    value: Plain


@dataclass(frozen=True)
class Time:
    """Source fields joined by a blank and read by `format` (iso, epoch_s, epoch_ms, strptime's), local to `zone`."""

    sources: tuple[str, ...]
    format: str
    zone: str | None


@dataclass(frozen=True)
class Point:
    """Longitude and latitude in degrees of `system`."""

    longitude: str
    latitude: str
    system: str


@dataclass(frozen=True)
class GeoJsonPoint:
    """A GeoJSON point in coordinates of `system`."""

    source: str
    system: str


@dataclass(frozen=True)
class Place:
    """A name looked up in a table of places: WGS 84 (longitude, latitude); an unknown name breaks `code:property`."""

    source: str
    places: Mapping[str, tuple[float, float]]


Rule = Value | Constant | Time | Point | GeoJsonPoint | Place


@dataclass(frozen=True)
class FieldMapping:
    """How one property of the contract comes about; `conversion` is applied to its number."""

    target: Property
    rule: Rule
    conversion: Conversion = field(default_factory=Conversion)


@dataclass(frozen=True)
class SourceMapping:
    """A whole mapping. `nulls` are words that mean nothing was measured."""

    id: str
    contract: str
    fields: tuple[FieldMapping, ...]
    nulls: tuple[str, ...] = ("",)
    encoding: str = "utf-8"
    delimiter: str = ","
    text: str = field(default="", repr=False, compare=False)

    def __hash__(self) -> int:
        return hash((self.id, self.text))  # code tables are dicts, which have no hash

    @property
    def sources(self) -> dict[str, Wanted]:
        """Return the source fields the mapping reads, with the kind of value wanted of each."""
        wanted: dict[str, Wanted] = {}
        for one in self.fields:
            for name, kind in _sources(one.rule):
                # Two readers of one field that want different kinds: text can be made of anything.
                wanted[name] = kind if wanted.get(name, kind) == kind else "text"
        return wanted


def parse_mapping(text: str, path: Path, contracts: Contracts, contract: str | None = None) -> SourceMapping:
    """Return the mapping in `text`; `path` is what errors name, `contract` what it must be for. Raises MappingError."""
    try:
        return _Reader(parse_marked(text, path), contracts).mapping(text, contract)
    except ContractError as error:
        raise MappingError(str(error)) from error


def shipped_mappings() -> dict[str, Path]:
    """Return the mapping files that come with CityOps, by id."""
    folder = Path(str(files("cityops.data") / "mappings"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read_mapping(name: str, contracts: Contracts, contract: str | None = None) -> SourceMapping:
    """Return the mapping of a file or, by its id, one that comes with CityOps. Raises MappingError."""
    shipped = shipped_mappings()
    path = Path(name)
    if not path.is_file():
        if name not in shipped:
            known = ", ".join(shipped)
            raise MappingError(
                f"{name}: no such file, nor a mapping of this id{suggestion(name, shipped)}; known: {known}"
            )
        path = shipped[name]
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"{path}: cannot be read: {error}") from error
    return parse_mapping(text, path, contracts, contract)


def _sources(rule: Rule) -> Iterable[tuple[str, Wanted]]:
    match rule:
        case Value():
            yield rule.source, rule.wanted
        case Time():
            for source in rule.sources:
                yield source, "number" if rule.format.startswith("epoch") else "text"
        case Point():
            yield rule.longitude, "number"
            yield rule.latitude, "number"
        case GeoJsonPoint():
            yield rule.source, "point"
        case Place():
            yield rule.source, "text"


class _Reader:
    def __init__(self, document: Marked, contracts: Contracts) -> None:
        self._document = document
        self._contracts = contracts
        self._zone: str | None = None
        self._tables: dict[str, Marked] = {}

    def mapping(self, text: str, contract: str | None) -> SourceMapping:
        known = ("id", "title", "contract", "nulls", "encoding", "delimiter", "time_zone", "fields", "tables")
        top = self._document.mapping(known, required=("id", "contract", "fields"))
        named = top["contract"].choice(self._contracts)
        if contract is not None and named != contract:
            raise top["contract"].error(f"this mapping is for {named}, not for {contract}")
        self._zone = _zone(top["time_zone"]) if "time_zone" in top else None
        if "tables" in top:
            self._tables = {key.raw: value for key, value in top["tables"].entries()}
        target = self._contracts[named]
        read = SourceMapping(
            id=top["id"].text(r"[a-z0-9][a-z0-9_-]{0,63}", "an id (lower case letters, digits, - and _)"),
            contract=named,
            fields=self._fields(top["fields"], target),
            nulls=tuple(item.raw.strip() for item in top["nulls"].items()) if "nulls" in top else ("",),
            encoding=_encoding(top["encoding"]) if "encoding" in top else "utf-8",
            delimiter=top["delimiter"].text(r".|\t", "one character") if "delimiter" in top else ",",
            text=text,
        )
        for missing in (
            p.name for p in target.properties if p.required and p.name not in {f.target.name for f in read.fields}
        ):
            raise top["fields"].error(f"{named} requires `{missing}`, which no field gives")
        return read

    def _fields(self, fields: Marked, contract: Contract) -> tuple[FieldMapping, ...]:
        named = fields.mapping(contract.by_name)
        return tuple(self._field(mark, contract.by_name[name]) for name, mark in named.items())

    def _field(self, mark: Marked, target: Property) -> FieldMapping:
        if mark.kind == "text":
            mark_keys: dict[str, Marked] = {"from": mark}
        else:
            known = (*_KEYS[target.type], "constant")
            mark_keys = mark.mapping(known)
        if "constant" in mark_keys:
            if len(mark_keys) > 1:
                raise mark.error("a constant stands alone")
            return FieldMapping(target, Constant(_constant(mark_keys["constant"], target)))
        match target.type:
            case "timestamp":
                return FieldMapping(target, self._time(mark, mark_keys))
            case "point":
                return FieldMapping(target, self._point(mark, mark_keys))
            case _:
                return FieldMapping(target, self._value(mark, mark_keys, target), _conversion(mark, mark_keys, target))

    def _value(self, mark: Marked, keys: dict[str, Marked], target: Property) -> Value:
        source = _required(mark, keys, "from").text()
        unknown_is_null = "otherwise" in keys and keys["otherwise"].choice(("quarantine", "null")) == "null"
        if "compass" in keys:
            if "codes" in keys or not keys["compass"].flag():
                raise keys["compass"].error("`compass: true` stands without `codes`")
            codes: dict[str, Plain] = {**compass.degrees(), **dict.fromkeys(compass.NO_DIRECTION)}
            return Value(source, "text", codes, unknown_is_null, fold_case=True)
        if "codes" in keys:
            table = self._table(keys["codes"])
            whole = all(key.kind == "a whole number" for key, _ in table)
            codes = {key.raw: _constant(value, target) for key, value in table}
            return Value(source, "integer" if whole else "text", codes, unknown_is_null)
        if unknown_is_null:
            raise keys["otherwise"].error("says what becomes of unknown codes, and there are no `codes`")
        wanted: Mapping[str, Wanted] = {"string": "text", "boolean": "boolean"}
        return Value(source, wanted.get(target.type, "number"))

    def _time(self, mark: Marked, keys: dict[str, Marked]) -> Time:
        origin = _required(mark, keys, "from")
        sources = (origin.text(),) if origin.kind == "text" else tuple(item.text() for item in origin.items())
        layout = keys["format"].text() if "format" in keys else "iso"
        zone = _zone(keys["time_zone"]) if "time_zone" in keys else self._zone
        if "%" not in layout and layout not in _ZONELESS:
            raise keys["format"].error(
                f"{layout!r} is none of {', '.join(_ZONELESS)}, nor a pattern like %Y-%m-%d %H:%M"
            )
        if "%" in layout and "%z" not in layout and zone is None:
            raise mark.error("the times have no zone: say `time_zone` (like Asia/Shanghai) here or at the top")
        return Time(sources, layout, None if layout.startswith("epoch") or "%z" in layout else zone)

    def _point(self, mark: Marked, keys: dict[str, Marked]) -> Rule:
        system = _system(keys["system"]) if "system" in keys else "WGS84"
        if "longitude" in keys or "latitude" in keys:
            if "from" in keys or "places" in keys:
                raise mark.error("either `longitude` and `latitude`, or `from`")
            return Point(_required(mark, keys, "longitude").text(), _required(mark, keys, "latitude").text(), system)
        source = _required(mark, keys, "from").text()
        if "places" not in keys:
            return GeoJsonPoint(source, system)
        return Place(source, {key.raw: _position(value, system) for key, value in self._table(keys["places"])})

    def _table(self, mark: Marked) -> list[tuple[Marked, Marked]]:
        """Return the entries of a table written in place, or named among `tables`."""
        if mark.kind != "text":
            return mark.entries()
        if mark.raw not in self._tables:
            raise mark.error(f"no table {mark.raw!r} among `tables`{suggestion(mark.raw, self._tables)}")
        return self._tables[mark.raw].entries()


_KEYS: Mapping[str, tuple[str, ...]] = {
    "string": ("from", "codes", "otherwise"),
    "boolean": ("from", "codes", "otherwise"),
    "integer": ("from", "codes", "otherwise"),
    "number": ("from", "codes", "otherwise", "compass", "unit", "scale", "offset"),
    "timestamp": ("from", "format", "time_zone"),
    "point": ("from", "places", "longitude", "latitude", "system"),
}


def _required(mark: Marked, keys: dict[str, Marked], name: str) -> Marked:
    if name not in keys:
        raise mark.error(f"`{name}` is missing")
    return keys[name]


def _conversion(mark: Marked, keys: dict[str, Marked], target: Property) -> Conversion:
    found = Conversion()
    if "unit" in keys:
        if target.unit is None:
            raise keys["unit"].error(f"{target.name} has no unit in its contract")
        try:
            found = conversion(keys["unit"].raw, target.unit)
        except UnitError as error:
            raise keys["unit"].error(str(error)) from error
    scale = keys["scale"].number() if "scale" in keys else 1.0
    offset = keys["offset"].number() if "offset" in keys else 0.0
    if scale == 0:
        raise mark.error("scale 0 would make every value the same")
    # The source's own scale first (tenths of a degree), then the unit.
    return Conversion(scale * found.scale, offset * found.scale + found.offset)


def _constant(mark: Marked, target: Property) -> Plain:
    value = mark.value()
    if value is None:
        return None
    match target.type:
        case "string":
            return mark.raw
        case "boolean":
            return mark.flag()
        case "number" | "integer":
            return mark.number()
        case _:
            raise mark.error(f"a constant {target.type} makes no sense")


def _position(mark: Marked, system: str) -> tuple[float, float]:
    pair = [item.number() for item in mark.items()]
    if len(pair) != 2 or abs(pair[0]) > 180 or abs(pair[1]) > 90:
        raise mark.error("[longitude, latitude] in degrees is wanted")
    longitude, latitude = to_wgs84(np.array(pair[:1]), np.array(pair[1:]), system)
    return float(longitude[0]), float(latitude[0])


def _system(mark: Marked) -> str:
    """Return one of SYSTEMS, however it is spelt (GCJ-02, gcj02)."""
    name = mark.text().upper().replace("-", "").replace(" ", "")
    if name not in SYSTEMS:
        raise mark.error(f"{mark.raw!r} is no coordinate system known here; known are {', '.join(SYSTEMS)}")
    return name


def _zone(mark: Marked) -> str:
    name = mark.text()
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise mark.error(f"{name!r} is no time zone (like Asia/Shanghai)") from error
    return name


def _encoding(mark: Marked) -> str:
    try:
        return codecs.lookup(mark.text()).name
    except LookupError as error:
        raise mark.error(f"{mark.raw!r} is no text encoding (like utf-8 or gbk)") from error
