"""From what a source sent (JSON, Arrow, CSV) to the contract's types; a value that cannot be breaks `type:property`."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cityops.data.contract.broken import Broken, Mask, mask_of, one_array
from cityops.data.contract.model import TIMESTAMP, Contract, Property

_FRACTION_BEYOND_US = r"(\.\d{6})\d+"
_FORMS = {
    TIMESTAMP: (
        r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[T ]([01]\d|2[0-3])"
        r"(:[0-5]\d(:[0-5]\d(\.\d+)?)?)?(Z|[+-]\d{2}(:?[0-5]\d)?)$"
    ),
    pa.float64(): r"(?i)^[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|inf(inity)?)$",
    pa.int64(): r"^[+-]?\d{1,19}$",
    pa.bool_(): r"(?i)^(true|false|0|1)$",
}
"""How a text looks that may be one; the cast has the last word."""

_TYPES = pa.types


def from_wire(contract: Contract, table: pa.Table) -> tuple[pa.Table, pa.StringArray]:
    """Return `table` in `contract.arrow_schema`, and per row the first `type:property` it breaks, or null.

    Columns may have the wire types, the contract's types or others that lose nothing (float32, text of a number,
    timestamps with a zone in any unit, cut to ms). A point may come as GeoJSON struct or as its two columns. A missing
    column is a column of nulls; a column the contract does not know is left out. A value that cannot be converted
    becomes null and breaks the rule.
    """
    broken = Broken(table.num_rows)
    columns: list[pa.Array] = []
    for prop in contract.properties:
        if prop.type == "point" and prop.name in table.column_names:
            columns += _point(broken, prop, one_array(table.column(prop.name)))
            continue
        for field in prop.fields:
            if field.name in table.column_names:
                columns.append(_converted(broken, prop, one_array(table.column(field.name)), field.type))
            else:
                columns.append(pa.nulls(table.num_rows, field.type))
    return pa.Table.from_arrays(columns, schema=contract.arrow_schema), broken.rules()


def _converted(broken: Broken, prop: Property, values: pa.Array, wanted: pa.DataType) -> pa.Array:
    if values.type == wanted:
        return values
    if _TYPES.is_null(values.type):
        return pa.nulls(len(values), wanted)
    if _TYPES.is_dictionary(values.type):
        values = values.dictionary_decode()
    if not _convertible(values.type, prop.type):
        broken.add(mask_of(pc.is_valid(values)), f"type:{prop.name}")
        return pa.nulls(len(values), wanted)
    try:
        return _cast(values, wanted)
    except pa.ArrowInvalid:
        converted, bad = _cast_each(values, wanted)
        broken.add(bad, f"type:{prop.name}")
        return converted


def _convertible(found: pa.DataType, wanted: str) -> bool:
    text = _TYPES.is_string(found) or _TYPES.is_large_string(found) or _TYPES.is_string_view(found)
    number = _TYPES.is_integer(found) or _TYPES.is_floating(found) or _TYPES.is_decimal(found)
    match wanted:
        case "string":
            return bool(text or _TYPES.is_integer(found))
        case "boolean":
            return bool(text or _TYPES.is_boolean(found))
        case "timestamp":
            return bool(text or (_TYPES.is_timestamp(found) and found.tz is not None))
        case _:
            return bool(text or number)


def _cast(values: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Cast without loss, but for timestamps finer than a millisecond, which are cut."""
    if wanted != TIMESTAMP:
        return pc.cast(values, wanted)
    exact = values if _TYPES.is_timestamp(values.type) else pc.cast(values, pa.timestamp("us", tz="UTC"))
    return pc.cast(exact, pa.timestamp("ms", tz=exact.type.tz), safe=False).cast(TIMESTAMP)


def _cast_each(values: pa.Array, wanted: pa.DataType) -> tuple[pa.Array, Mask]:
    """Cast what can be cast; return with it the mask of what cannot. Every different value is tried once."""
    encoded = values.dictionary_encode()
    words = encoded.dictionary
    if wanted == TIMESTAMP:
        words = pc.replace_substring_regex(words.cast(pa.string()), _FRACTION_BEYOND_US, r"\1")
    hopeless = _hopeless(words, wanted)
    cast, bad = _try_all(pc.if_else(pa.array(hopeless), pa.scalar(None, words.type), words), wanted)
    codes = encoded.indices
    rows = codes.fill_null(-1).to_numpy(zero_copy_only=False)
    return cast.take(codes), np.append(bad | hopeless, np.False_)[rows]


def _hopeless(words: pa.Array, wanted: pa.DataType) -> Mask:
    """Return the values that cannot be cast by their look, so that a flood of garbage is not tried one by one."""
    if _TYPES.is_floating(words.type) and _TYPES.is_integer(wanted):
        numbers = words.to_numpy(zero_copy_only=False)
        return np.asarray(~(np.isfinite(numbers) & (np.floor(numbers) == numbers) & (np.abs(numbers) < 2.0**63)))
    form = _FORMS.get(wanted)
    if form is None or not (_TYPES.is_string(words.type) or _TYPES.is_large_string(words.type)):
        return np.zeros(len(words), dtype=np.bool_)
    return mask_of(pc.invert(pc.match_substring_regex(words, form)))


def _try_all(words: pa.Array, wanted: pa.DataType) -> tuple[pa.Array, Mask]:
    """Halve until a part casts whole or is one bad value: k bad among n values cost about k·log(n) casts."""
    try:
        return _cast(words, wanted), np.zeros(len(words), dtype=np.bool_)
    except pa.ArrowInvalid:
        if len(words) == 1:
            return pa.nulls(1, wanted), np.ones(1, dtype=np.bool_)
    half = len(words) // 2
    (left, bad_left), (right, bad_right) = _try_all(words[:half], wanted), _try_all(words[half:], wanted)
    return pa.concat_arrays([left, right]), np.concatenate([bad_left, bad_right])


def _point(broken: Broken, prop: Property, values: pa.Array) -> list[pa.Array]:
    """Split GeoJSON points (a third coordinate, altitude, is allowed and left out) into longitude and latitude."""
    rows = len(values)
    if _TYPES.is_null(values.type) or values.null_count == rows:
        return [pa.nulls(rows, pa.float64())] * 2
    if not _is_geojson(values.type):
        broken.add(mask_of(pc.is_valid(values)), f"type:{prop.name}")
        return [pa.nulls(rows, pa.float64())] * 2
    kinds, coordinates = pc.struct_field(values, "type"), pc.struct_field(values, "coordinates")
    count = pc.list_value_length(coordinates)
    right = pc.and_(pc.equal(kinds, "Point"), pc.and_(pc.greater_equal(count, 2), pc.less_equal(count, 3)))
    pairs = coordinates
    if right.null_count or not pc.all(right).as_py():
        right = right.fill_null(False)
        broken.add(mask_of(pc.and_(pc.is_valid(values), pc.invert(right))), f"type:{prop.name}")
        pairs = pc.if_else(right, coordinates, pa.scalar([None, None], coordinates.type))
    flat = pc.list_flatten(pc.list_slice(pairs, 0, 2)).cast(pa.float64())
    halves = flat.to_numpy(zero_copy_only=False).reshape(rows, 2)
    if not flat.null_count:
        return [pa.array(np.ascontiguousarray(halves[:, i])) for i in (0, 1)]
    holes = mask_of(pc.is_null(flat)).reshape(rows, 2).any(axis=1)
    broken.add(holes & mask_of(right), f"type:{prop.name}")
    return [pa.array(np.ascontiguousarray(halves[:, i]), mask=holes) for i in (0, 1)]


def _is_geojson(found: pa.DataType) -> bool:
    if not _TYPES.is_struct(found) or {"type", "coordinates"} - {found.field(i).name for i in range(found.num_fields)}:
        return False
    coordinates = found.field("coordinates").type
    lists = _TYPES.is_list(coordinates) or _TYPES.is_large_list(coordinates)
    return bool(lists and _TYPES.is_string(found.field("type").type) and _TYPES.is_floating(coordinates.value_type))
