"""Questions about contracts' tables as SQL with bound values; `warehouse.query(*question)` answers one."""

# ruff: noqa: S608  # names come from validated contracts, values are bound
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from cityops.data.contract import DATABASE, ROLLUPS, Contract, now_view, rollup_table

Step = Literal["raw", "1m", "1h", "1d"]
MAX_POINTS = 2_000
RAW_SPAN = timedelta(hours=2)


class Question(NamedTuple):
    """SQL and the values of its `{name:Type}` places."""

    sql: str
    parameters: dict[str, Any]


def latest(contract: Contract, since: datetime | None = None) -> Question:
    """Ask for the newest row of every entity (observed at or after `since`): the columns of `contract.table_schema`."""
    columns = ", ".join(f"`{name}`" for name in contract.table_schema.names)
    where = "" if since is None else f" WHERE `{contract.time}` >= {{since:DateTime64(3, 'UTC')}}"
    return Question(
        f"SELECT {columns} FROM {DATABASE}.{now_view(contract)}{where}", {} if since is None else {"since": since}
    )


def step_for(contract: Contract, span: timedelta, *, points: int = MAX_POINTS) -> Step:
    """Return "raw", or the finest rollup of `contract` that makes at most `points` of `span`, else its coarsest one."""
    if span <= RAW_SPAN or not contract.rollups:
        return "raw"
    steps = sorted(contract.rollups, key=lambda step: ROLLUPS[step])
    return next((step for step in steps if span / ROLLUPS[step] <= points), steps[-1])


def series(
    contract: Contract, entity: str, prop: str, start: datetime, end: datetime, *, points: int = MAX_POINTS
) -> Question:
    """Ask for the course of a number of one entity in [start, end): rows (t timestamp ms UTC, value, min, max, n) by t.

    From the step `step_for` chooses, in whole steps, first the one that `start` falls into; `value` is the step's mean,
    `n` how many values it has. Raises KeyError for a property that is not there, ValueError for one that has no rollup
    where the span needs one.
    """
    declared = contract.by_name[prop]
    step = step_for(contract, end - start, points=points)
    key, time = f"`{contract.entity}`", f"`{contract.time}`"
    if step == "raw":
        table = contract.table
        columns = (
            f"toDateTime64({time}, 3, 'UTC') AS t, toFloat64(`{prop}`) AS value, value AS min, value AS max, "
            "toUInt64(1) AS n"
        )
        known, group, before = f" AND `{prop}` IS NOT NULL", "", ">="
    else:
        if not declared.rollup:
            raise ValueError(f"{contract.name}.{prop} has no rollup: ask for at most {RAW_SPAN}")
        table = rollup_table(contract, step)
        columns = (
            f"toDateTime64({time}, 3, 'UTC') AS t, sum(`{prop}_sum`) / sum(`{prop}_n`) AS value, "
            f"toFloat64(min(`{prop}_min`)) AS min, toFloat64(max(`{prop}_max`)) AS max, sum(`{prop}_n`) AS n"
        )
        known, group, before = f" AND `{prop}_n` > 0", f" GROUP BY {time}", ">"
        start -= ROLLUPS[step]
    within = f"{time} {before} {{start:DateTime64(3, 'UTC')}} AND {time} < {{end:DateTime64(3, 'UTC')}}"
    where = f"{key} = {{entity:String}} AND {within}{known}"
    sql = f"SELECT {columns} FROM {DATABASE}.{table} WHERE {where}{group} ORDER BY t"
    return Question(sql, {"entity": entity, "start": start.astimezone(UTC), "end": end.astimezone(UTC)})


def stored_rows(table: str, stream: str, first: int, last: int, *, partition: int | None = None) -> Question:
    """Ask which messages first..last of a stream have rows in `table`: rows (_seq, rows), what a recovery compares.

    `partition` (YYYYMM) spares reading the other months. For the quarantine too.
    """
    where = "`_stream` = {stream:String} AND `_seq` BETWEEN {first:UInt64} AND {last:UInt64}"
    parameters: dict[str, Any] = {"stream": stream, "first": first, "last": last}
    if partition is not None:
        where += " AND _partition_id = {partition:String}"
        parameters["partition"] = str(partition)
    return Question(
        f"SELECT `_seq`, count() AS rows FROM {DATABASE}.`{table}` WHERE {where} GROUP BY `_seq` ORDER BY `_seq`",
        parameters,
    )


def arrived_since(contract: Contract, since: datetime) -> Question:
    """Ask for the keys of the rows that arrived at or after `since`: entity, time, _stream, _seq, _arrived_at."""
    columns = f"`{contract.entity}`, `{contract.time}`, `_stream`, `_seq`, `_arrived_at`"
    where = "`_arrived_at` >= {since:DateTime64(3, 'UTC')}"
    return Question(f"SELECT {columns} FROM {DATABASE}.{contract.table} WHERE {where}", {"since": since})


def known_keys(contract: Contract, entities: list[str], times: list[datetime]) -> Question:
    """Ask which of the keys (entity, time), paired by place, have a row: rows (entity, time), each once."""
    key, time = f"`{contract.entity}`", f"`{contract.time}`"
    sql = (
        f"SELECT DISTINCT {key}, {time} FROM {DATABASE}.{contract.table} WHERE ({key}, {time}) IN "
        "(SELECT arrayJoin(arrayZip({entities:Array(String)}, {times:Array(DateTime64(3, 'UTC'))})) AS pair "
        "SETTINGS max_block_size = 65536)"
    )
    return Question(sql, {"entities": entities, "times": times})
