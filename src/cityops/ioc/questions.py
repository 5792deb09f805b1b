"""Questions to the warehouse that the API answers: newest rows and history of any contract; values are bound."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import pyarrow as pa

from cityops.apps.live import Questions
from cityops.data.contract import DATABASE, Contract, Property, now_view, rollup_table
from cityops.ioc.shapes import LatestRows, SeriesPoints

LAST_HOUR: Final = timedelta(hours=1)
MAX_POINTS: Final = 20_000

Step = Literal["raw", "1m", "1h", "1d"]
_SPANS: Final[tuple[tuple[Step, timedelta], ...]] = (
    ("raw", timedelta(hours=6)),
    ("1m", timedelta(days=3)),
    ("1h", timedelta(days=400)),
    ("1d", timedelta.max),
)
"""The longest span that is answered in each step."""


def numbers(contract: Contract) -> dict[str, Property]:
    """Return the properties of `contract` that are numbers, by name."""
    return {p.name: p for p in contract.properties if p.type in ("number", "integer")}


def step_for(contract: Contract, prop: Property, span: timedelta) -> Step:
    """Return the finest step that keeps a history of `span` short and that `contract` has."""
    steps = ["raw", *(step for step in contract.rollups if prop.rollup)]
    fitting = [step for step, longest in _SPANS if step in steps and span <= longest]
    return fitting[0] if fitting else steps[-1]  # type: ignore[return-value]  # both hold names of steps


async def latest(warehouse: Questions, contract: Contract, limit: int, entity: str | None) -> LatestRows:
    """Return the newest row of entities of `contract`, newest first."""
    where = f"WHERE {contract.entity} = {{entity:String}}" if entity else ""
    sql = f"SELECT * FROM {DATABASE}.{now_view(contract)} {where} ORDER BY {contract.time} DESC LIMIT {{limit:UInt32}}"
    answer = await warehouse.query(sql, {"entity": entity or "", "limit": limit})
    units = {p.name: p.unit for p in contract.properties if p.unit}
    return LatestRows(contract.name, contract.entity, contract.time, units, _objects(answer))


async def series(
    warehouse: Questions, contract: Contract, entity: str, prop: Property, since: datetime, until: datetime
) -> SeriesPoints:
    """Return the history of `prop` of `entity` in [since, until)."""
    step = step_for(contract, prop, until - since)
    time, p = contract.time, prop.name
    if step == "raw":
        table, key = contract.table, "toUnixTimestamp64Milli"
        values = f"avg({p}) AS mean, min({p}) AS least, max({p}) AS most, count({p}) AS readings"
    else:
        table, key = rollup_table(contract, step), "1000 * toUnixTimestamp"
        values = (
            f"sum({p}_sum) / sum({p}_n) AS mean, min({p}_min) AS least, max({p}_max) AS most, sum({p}_n) AS readings"
        )
    bounds = (
        "fromUnixTimestamp64Milli({since:Int64}, 'UTC') AND {time} < fromUnixTimestamp64Milli({until:Int64}, 'UTC')"
    )
    sql = (
        f"SELECT {key}({time}) AS at, {values} FROM {DATABASE}.{table} "
        f"WHERE {contract.entity} = {{entity:String}} AND {time} >= {bounds.replace('{time}', time)} "
        f"GROUP BY {time} ORDER BY {time} LIMIT {MAX_POINTS}"
    )
    parameters = {"entity": entity, "since": _ms(since), "until": _ms(until)}
    rows = (await warehouse.query(sql, parameters)).to_pylist()
    points = [(int(r["at"]), *(_number(r[c]) for c in ("mean", "least", "most")), int(r["readings"])) for r in rows]
    return SeriesPoints(contract.name, entity, p, prop.unit, step, points)  # type: ignore[arg-type]  # five places each


def _objects(table: pa.Table) -> list[Mapping[str, Any]]:
    columns = {}
    for name in table.column_names:
        column = table[name]
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64())
        columns[name] = column.to_pylist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def _number(value: float | None) -> float | None:
    return None if value is None or value != value else float(value)  # noqa: PLR0124  # NaN alone differs from itself
