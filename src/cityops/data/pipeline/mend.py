"""Mends what a crash of the warehouse can leave half done: rows of a batch, rollups that do not count the rows.

Trying an insert again under its token does nearly all: the engine keeps the rows first, then minutes, hours, days and
newest rows one after another, and the token fills in what was not reached. Two things are left, both looked for here.
A token is noted an instant before its part is kept; killed between the two, the engine takes the part for there. And
an insert tried again may hold rows that the first try had set aside as doubles of another stream's.
"""
# ruff: noqa: S608  # names come from validated contracts, values are numbers

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from cityops.data.contract import DATABASE, Contract, latest_table, rollup_table
from cityops.data.contract.ddl import TIMEZONE, rollup_select
from cityops.data.pipeline.batch import newest
from cityops.data.pipeline.late import keys_of_range
from cityops.data.pipeline.ledger import Range
from cityops.data.pipeline.unique import Times, row_keys
from cityops.data.warehouse.client import Warehouse
from cityops.technology.telemetry import Log

_DAY = timedelta(days=1)

log = Log(__name__)


def mend(warehouse: Warehouse, contract: Contract, part: pa.Table, stream: str, span: Range, token: str) -> None:
    """Make the warehouse agree with `part`: rows of one partition, of messages `span`, inserted under `token`.

    Nothing else may write meanwhile. Raises WarehouseError; then call it again.
    """
    keys, times = row_keys(contract, part)
    missing = ~np.isin(keys, keys_of_range(warehouse, contract, stream, span, times))
    if missing.all():
        # A part is there whole or not at all, and the views have had it: bring it past them.
        log.warning("a noted part was not kept", contract=contract.name, rows=len(part))
        _attach(warehouse, contract.table, part)
    elif missing.any():
        log.warning("rows were not in the first try", contract=contract.name, rows=int(missing.sum()))
        rest = part.filter(pa.array(missing))
        warehouse.insert(f"{DATABASE}.{contract.table}", rest, token=f"{token}:rest")
    warehouse.insert(f"{DATABASE}.{latest_table(contract)}", newest(contract, part))
    oldest = datetime.now(UTC) - contract.retention + _DAY
    for low, high in _local_days(times):
        if low > oldest:
            _recount(warehouse, contract, f"BETWEEN {_time(low)} AND {_time(high)} - INTERVAL 1 MILLISECOND")


def _recount(warehouse: Warehouse, contract: Contract, days: str) -> None:
    """Make again the rollups of whole local days whose count of rows is not that of what they are made from."""
    source, counted = contract.table, "count()"
    for step in contract.rollups:
        table = rollup_table(contract, step)
        where = f"WHERE {contract.time} {days}"
        wanted, found = (
            int(warehouse.query(f"SELECT {what} AS n FROM {DATABASE}.{name} {where}")["n"][0].as_py() or 0)
            for what, name in ((counted, source), ("sum(n)", table))
        )
        if wanted != found:
            log.warning("a rollup was made again", table=table, rows=wanted, counted=found, days=days)
            warehouse.command(f"ALTER TABLE {DATABASE}.{table} DELETE {where} SETTINGS mutations_sync = 2")
            part = f"(SELECT * FROM {DATABASE}.{source} {where})"
            _attach(warehouse, table, rollup_select(contract, step, source, part, TIMEZONE))
        source, counted = table, "sum(n)"


def _attach(warehouse: Warehouse, table: str, rows: pa.Table | str) -> None:
    """Put `rows` (or the answer to a query) into `table` without the views that feed on it."""
    aside = f"{DATABASE}.{table}_mend"
    warehouse.command(f"DROP TABLE IF EXISTS {aside} SYNC")
    warehouse.command(f"CREATE TABLE {aside} AS {DATABASE}.{table}")
    if isinstance(rows, str):
        warehouse.command(f"INSERT INTO {aside} {rows}")
    else:
        warehouse.insert(aside, rows)
    ids = warehouse.query(
        "SELECT DISTINCT partition_id FROM system.parts WHERE active AND database = {d:String} AND table = {t:String}",
        {"d": DATABASE, "t": f"{table}_mend"},
    )
    for partition in ids["partition_id"].to_pylist() if len(ids) else ():
        warehouse.command(f"ALTER TABLE {DATABASE}.{table} ATTACH PARTITION ID '{_name(partition)}' FROM {aside}")
    warehouse.command(f"DROP TABLE {aside} SYNC")


def _local_days(times: Times) -> Iterator[tuple[datetime, datetime]]:
    """Yield the runs of whole days, of the zone the daily rollup counts by, that `times` fall into."""
    zone = ZoneInfo(TIMEZONE)
    hours = np.unique(times // 3_600_000)
    days = sorted({datetime.fromtimestamp(int(h) * 3600, zone).date() for h in hours})
    start = end = None
    for day in days:
        low = datetime(day.year, day.month, day.day, tzinfo=zone)
        following = day + _DAY
        high = datetime(following.year, following.month, following.day, tzinfo=zone)
        if end == low:
            end = high
            continue
        if start is not None and end is not None:
            yield start, end
        start, end = low, high
    if start is not None and end is not None:
        yield start, end


def _time(moment: datetime) -> str:
    return f"fromUnixTimestamp64Milli(toInt64({int(moment.timestamp() * 1000)}), 'UTC')"


def _name(partition: object) -> str:
    return partition.decode() if isinstance(partition, bytes) else str(partition)
