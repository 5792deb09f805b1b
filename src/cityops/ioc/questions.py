"""Questions to the warehouse that the API answers: newest rows and history of any contract; values are bound."""

# ruff: noqa: S608  # names come from validated contracts, values are bound
from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa

from cityops.apps.live import Questions
from cityops.data.contract import DATABASE, QUARANTINE, Contract, Property
from cityops.data.warehouse import questions as ask
from cityops.ioc.shapes import LatestRows, SeriesPoints

LAST_HOUR: Final = timedelta(hours=1)


def numbers(contract: Contract) -> dict[str, Property]:
    """Return the properties of `contract` that are numbers, by name."""
    return {p.name: p for p in contract.properties if p.type in ("number", "integer")}


async def latest(warehouse: Questions, contract: Contract, limit: int, entity: str | None) -> LatestRows:
    """Return the newest row of entities of `contract` (or of one), newest first. Raises WarehouseError."""
    newest = ask.latest(contract)
    one = f"WHERE `{contract.entity}` = {{entity:String}}" if entity else ""
    sql = f"SELECT * FROM ({newest.sql}) {one} ORDER BY `{contract.time}` DESC LIMIT {{limit:UInt32}}"
    answer = await warehouse.query(sql, {**newest.parameters, "entity": entity or "", "limit": limit})
    units = {p.name: p.unit for p in contract.properties if p.unit}
    return LatestRows(contract.name, contract.entity, contract.time, units, _objects(answer))


async def series(
    warehouse: Questions, contract: Contract, entity: str, prop: Property, since: datetime, until: datetime
) -> SeriesPoints:
    """Return the history of `prop` of `entity` in [since, until). Raises WarehouseError, ValueError (no rollup)."""
    question = ask.series(contract, entity, prop.name, since, until)
    answer = await warehouse.query(question.sql, question.parameters)
    columns = (answer["t"].cast(pa.int64()).to_pylist(), *(answer[c].to_pylist() for c in ("value", "min", "max", "n")))
    points = [
        (t, _number(mean), _number(least), _number(most), n) for t, mean, least, most, n in zip(*columns, strict=True)
    ]
    step = ask.step_for(contract, until - since)
    return SeriesPoints(contract.name, entity, prop.name, prop.unit, step, points)


async def quarantined(warehouse: Questions, since: datetime) -> int:
    """Return how many rows came to the quarantine since then. Raises WarehouseError."""
    sql = f"SELECT count() AS n FROM {DATABASE}.{QUARANTINE} WHERE _arrived_at >= {{since:DateTime64(3, 'UTC')}}"
    answer = await warehouse.query(sql, {"since": since})
    return int(answer["n"][0].as_py())


def _objects(table: pa.Table) -> list[Mapping[str, Any]]:
    columns = {}
    for name in table.column_names:
        column = table[name]
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64())
        columns[name] = column.to_pylist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
