"""The live table: the newest row of every entity of a contract, by column, found by id and by place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from cityops.data.contract import Contract
from cityops.data.contract.broken import one_array
from cityops.technology.geo.coordinates import LocalPlane

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_FIRST_CAPACITY = 256
_NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Change:
    """What a batch did: `rows` of the table were replaced; `new` ones were not there, `changed` ones differ in a value.

    A row that repeats its values at a later time is among `rows`, and neither new nor changed.
    """

    rows: Rows
    new: Mask
    changed: Mask


class LiveTable:
    """The state of a contract now. Row numbers stay as they are; rows are never removed, they grow stale."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._fields = {f.name: f for f in contract.table_schema}
        self._index: dict[str, int] = {}
        self._columns = {name: _empty(f.type, _FIRST_CAPACITY) for name, f in self._fields.items()}
        self._times = np.full(_FIRST_CAPACITY, _NEVER, np.int64)
        self._tree: shapely.STRtree | None = None
        self._tree_rows: Rows = np.zeros(0, np.int64)
        self._plane: LocalPlane | None = None
        point = next((p for p in contract.properties if p.type == "point"), None)
        self._place = point.columns if point else None

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, entity: str) -> bool:
        return entity in self._index

    @property
    def ids(self) -> list[str]:
        """Ids of the entities, in the order of their rows."""
        return list(self._index)

    def row_of(self, entity: str) -> int:
        """Return the row number of `entity`. Raises KeyError."""
        return self._index[entity]

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return a read-only view of a column: numbers as float64 (null: NaN), times as epoch ms, the rest as objects.

        Raises KeyError.
        """
        view = self._columns[name][: len(self)]
        view.flags.writeable = False
        return view

    def rows(self, numbers: Rows | None = None) -> pa.Table:
        """Return rows (all when None) in `contract.table_schema`."""
        chosen = slice(0, len(self)) if numbers is None else numbers
        arrays = [_to_arrow(self._columns[name][chosen], f.type) for name, f in self._fields.items()]
        schema = pa.schema([f.with_nullable(True) for f in self._fields.values()])
        return pa.Table.from_arrays(arrays, schema=schema)

    def apply(self, batch: pa.Table | pa.RecordBatch) -> Change:
        """Take rows in `contract.table_schema` (missing columns are null) where they are newer; return what changed."""
        table = self._fitted(batch)
        times = one_array(table.column(self.contract.time)).cast(pa.int64()).to_numpy()
        entities = one_array(table.column(self.contract.entity)).to_pylist()
        order = _newest_of_each(entities, times)
        known = len(self)
        index = self._index
        numbers = np.fromiter((index.setdefault(entities[i], len(index)) for i in order), np.int64, len(order))
        self._grow(len(index))
        newer = times[order] > self._times[numbers]
        order, numbers = order[newer], numbers[newer]
        new, changed = numbers >= known, np.zeros(len(numbers), np.bool_)
        for name, field in self._fields.items():
            if name not in table.column_names:
                continue
            incoming = _to_numpy(one_array(table.column(name)), field.type)[order]
            column = self._columns[name]
            if name != self.contract.time and not name.startswith("_"):
                differs = _differs(column[numbers], incoming)
                changed |= differs
                if self._place and name in self._place and differs.any():
                    self._tree = None
            column[numbers] = incoming
        self._times[numbers] = times[order]
        return Change(numbers, new, changed | new)

    def stale(self, now_ms: int) -> Mask:
        """Return which rows are older than the contract's freshness at `now_ms` (epoch)."""
        limit = now_ms - int(self.contract.freshness.total_seconds() * 1000)
        return np.asarray(self._times[: len(self)] < limit)

    def within(self, west: float, south: float, east: float, north: float) -> Rows:
        """Return the rows placed inside the bounds (degrees), in their order. Raises ValueError without a point."""
        tree = self._indexed()
        return np.sort(self._tree_rows[tree.query(shapely.box(west, south, east, north))])

    def nearest(self, longitude: float, latitude: float, count: int = 1) -> Rows:
        """Return up to `count` rows nearest to a point (degrees), nearest first, by metres. Raises ValueError."""
        self._indexed()
        if not len(self._tree_rows):
            return np.zeros(0, np.int64)
        plane = (
            self._plane if self._plane and _near(self._plane, longitude, latitude) else LocalPlane(longitude, latitude)
        )
        self._plane = plane
        east, north = plane.to_metres(*(self._columns[c][self._tree_rows] for c in self._place or ()))
        x, y = plane.to_metres(longitude, latitude)
        distance = np.hypot(east - x, north - y)
        count = min(count, len(distance))
        some = np.argpartition(distance, count - 1)[:count]
        return np.asarray(self._tree_rows[some[np.argsort(distance[some], kind="stable")]])

    def _indexed(self) -> shapely.STRtree:
        if self._place is None:
            raise ValueError(f"{self.contract.name} has no place")
        if self._tree is None:
            longitude, latitude = (self._columns[c][: len(self)] for c in self._place)
            self._tree_rows = np.flatnonzero(np.isfinite(longitude) & np.isfinite(latitude))
            self._tree = shapely.STRtree(shapely.points(longitude[self._tree_rows], latitude[self._tree_rows]))
        return self._tree

    def _fitted(self, batch: pa.Table | pa.RecordBatch) -> pa.Table:
        """Return the known columns in the contract's types: the warehouse's Arrow has its own for texts and times."""
        there = {name: batch.column(name) for name in self._fields if name in batch.schema.names}
        return pa.table({name: _cast(values, self._fields[name].type) for name, values in there.items()})

    def _grow(self, rows: int) -> None:
        capacity = len(self._times)
        if rows <= capacity:
            return
        more = max(rows, 2 * capacity) - capacity
        for name, field in self._fields.items():
            self._columns[name] = np.concatenate([self._columns[name], _empty(field.type, more)])
        self._times = np.concatenate([self._times, np.full(more, _NEVER, np.int64)])


def _cast(values: pa.Array | pa.ChunkedArray, type_: pa.DataType) -> pa.Array:
    array = one_array(values) if isinstance(values, pa.ChunkedArray) else values
    if array.type == type_:
        return array
    return (array.dictionary_decode() if pa.types.is_dictionary(array.type) else array).cast(type_)


def _newest_of_each(entities: Iterable[str], times: npt.NDArray[np.int64]) -> Rows:
    """Return for each entity the number of its newest row; the last of rows of the same time."""
    newest: dict[str, int] = {}
    ordered = times.tolist()
    for number, entity in enumerate(entities):
        held = newest.get(entity)
        if held is None or ordered[number] >= ordered[held]:
            newest[entity] = number
    return np.fromiter(newest.values(), np.int64, len(newest))


def _kind(type_: pa.DataType) -> type[Any]:
    if pa.types.is_timestamp(type_) or pa.types.is_uint64(type_):
        return np.int64
    if pa.types.is_floating(type_) or pa.types.is_integer(type_):
        return np.float64  # whole numbers of contracts are exact up to 2^53, and null needs a value
    return np.object_


def _empty(type_: pa.DataType, rows: int) -> npt.NDArray[Any]:
    kind = _kind(type_)
    if kind is np.int64:
        return np.full(rows, _NEVER, np.int64)
    return np.full(rows, np.nan) if kind is np.float64 else np.full(rows, None, np.object_)


def _to_numpy(values: pa.Array, type_: pa.DataType) -> npt.NDArray[Any]:
    kind = _kind(type_)
    if kind is np.int64:
        return np.asarray(pc.fill_null(values.cast(pa.int64()), _NEVER).to_numpy(zero_copy_only=False))
    if kind is np.float64:
        return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    return np.asarray(values.to_numpy(zero_copy_only=False), np.object_)


def _to_arrow(values: npt.NDArray[Any], type_: pa.DataType) -> pa.Array:
    kind = _kind(type_)
    if kind is np.int64:
        return pa.array(values, mask=values == _NEVER).cast(type_)
    if kind is np.float64:
        return pa.array(values, mask=np.isnan(values)).cast(type_)
    return pa.array(values.tolist(), type_)


def _differs(held: npt.NDArray[Any], incoming: npt.NDArray[Any]) -> Mask:
    if held.dtype == np.float64:
        return np.asarray((held != incoming) & ~(np.isnan(held) & np.isnan(incoming)))
    return np.asarray(held != incoming, np.bool_)


def _near(plane: LocalPlane, longitude: float, latitude: float) -> bool:
    return abs(plane.lon - longitude) < 1.0 and abs(plane.lat - latitude) < 1.0
