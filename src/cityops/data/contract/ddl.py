"""ClickHouse tables of a contract: rows, rollups, the newest row of every entity; on one server or a cluster."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cityops.data.contract.columns import (
    QUARANTINE_COLUMNS,
    Column,
    contract_columns,
    literal,
    name,
    names,
    rolled_up,
    rollup_columns,
)
from cityops.data.contract.model import Contract, Rollup
from cityops.data.contract.tables import DATABASE, QUARANTINE, feeder, latest_table, now_view, rollup_table

DEDUPLICATION_WINDOW = 10_000
"""Blocks whose tokens a table remembers: at one insert a second, about three hours of redelivery."""

TIMEZONE = "Asia/Shanghai"
"""Zone whose calendar days the daily rollup counts, unless the caller names another."""

QUARANTINE_DAYS = 90


@dataclass(frozen=True)
class Place:
    """Where tables are made: one server, or a cluster by name (Replicated* tables per shard under a Distributed one).

    The cluster's statements are generated and parsed in our tests; no cluster was available to run them on. An
    insert there needs `distributed_foreground_insert=1`, else it is acknowledged before it is on a shard.
    """

    cluster: str | None = None

    @property
    def on_cluster(self) -> str:
        """SQL that follows the name of what is created, altered or dropped."""
        return f" ON CLUSTER {literal(self.cluster)}" if self.cluster else ""

    def stored(self, table: str) -> str:
        """Return the table that holds the rows (on a cluster: of one shard), qualified."""
        return f"{DATABASE}.{name(table + '_local' if self.cluster else table)}"

    def engine(self, kind: str, table: str, argument: str = "") -> str:
        """Return the engine clause of family `kind` ("", "Aggregating", "Replacing")."""
        if not self.cluster:
            return f"{kind}MergeTree({argument})" if argument else f"{kind}MergeTree"
        path = literal(f"/clickhouse/tables/{{shard}}/{DATABASE}/{table}")
        return f"Replicated{kind}MergeTree({path}, '{{replica}}'{', ' + argument if argument else ''})"

    def face(self, table: str) -> str:
        """Return the table as readers and writers name it (on a cluster: of all shards), qualified."""
        return f"{DATABASE}.{name(table)}"

    @property
    def settings(self) -> str:
        """Settings that make an acknowledged insert durable and a repeated one harmless."""
        window = "replicated_deduplication_window" if self.cluster else "non_replicated_deduplication_window"
        return f"SETTINGS {window} = {DEDUPLICATION_WINDOW}, fsync_after_insert = 1, fsync_part_directory = 1"

    def table(self, table: str, columns: tuple[Column, ...], clauses: str, shard_by: str) -> list[str]:
        """Return the statements that make `table` with `clauses` (ENGINE … TTL) and, on a cluster, its face."""
        body = ",\n  ".join(c.definition for c in columns)
        head = f"CREATE TABLE IF NOT EXISTS {self.stored(table)}{self.on_cluster}"
        made = [f"{head} (\n  {body}\n)\n{clauses}\n{self.settings}"]
        if self.cluster:
            head = f"CREATE TABLE IF NOT EXISTS {self.face(table)}{self.on_cluster} AS {self.stored(table)}"
            shards = f"{literal(self.cluster)}, {literal(DATABASE)}, {literal(table + '_local')}"
            made.append(f"{head}\nENGINE = Distributed({shards}, {shard_by})")
        return made


def ddl(contract: Contract, *, cluster: str | None = None, timezone: str = TIMEZONE) -> list[str]:
    """Return the statements that make everything of `contract` where it is missing; `common_ddl` comes first."""
    place = Place(cluster)
    tables = [statement for make in contract_tables(contract, place, timezone).values() for statement in make]
    feeds = [
        f"CREATE MATERIALIZED VIEW IF NOT EXISTS {f.view}{place.on_cluster} TO {f.target} AS\n{f.select}"
        for f in feeders(contract, place, timezone)
    ]
    return [*tables, *feeds, now_statement(contract, place)]


def common_ddl(*, cluster: str | None = None) -> list[str]:
    """Return the statements that make the database and the quarantine table."""
    place = Place(cluster)
    clauses = (
        f"ENGINE = {place.engine('', QUARANTINE)}\nPARTITION BY toYYYYMM(_arrived_at)\n"
        f"ORDER BY (contract, _arrived_at)\n"
        f"TTL toDateTime(_arrived_at) + toIntervalDay({QUARANTINE_DAYS})"
    )
    database = f"CREATE DATABASE IF NOT EXISTS {DATABASE}{place.on_cluster}"
    return [database, *place.table(QUARANTINE, QUARANTINE_COLUMNS, clauses, "rand()")]


def contract_tables(contract: Contract, place: Place, timezone: str) -> dict[str, list[str]]:
    """Return, by table, the statements that make the rows, the rollups (finest first) and latest."""
    shard = f"cityHash64({name(contract.entity)})"
    rows = contract_columns(contract)
    tables = {contract.table: place.table(contract.table, rows, _row_clauses(contract, place), shard)}
    for step in contract.rollups:
        table = rollup_table(contract, step)
        clauses = _rollup_clauses(contract, place, step)
        tables[table] = place.table(table, rollup_columns(contract, step, timezone), clauses, shard)
    latest = latest_table(contract)
    tables[latest] = place.table(latest, rows, _latest_clauses(contract, place), shard)
    return tables


@dataclass(frozen=True)
class Feeder:
    """A materialised view: its name and target, qualified; the query over each inserted block; the table it reads."""

    view: str
    target: str
    select: str
    table: str
    source: str


def feeders(contract: Contract, place: Place, timezone: str) -> list[Feeder]:
    """Return the feeders: rows → 1m → 1h → 1d (as far as declared), and rows → latest.

    A step is fed by the one before it, so only the first reads every row. Latest keeps one row an entity of every
    block; between blocks ReplacingMergeTree keeps the newest time, so inserting a block again changes nothing.
    """
    found, source = [], contract.table
    for step in contract.rollups:
        table = rollup_table(contract, step)
        select = rollup_select(contract, step, source, place.stored(source), timezone)
        found.append(Feeder(place.face(feeder(table)), place.stored(table), select, table, source))
        source = table
    table = latest_table(contract)
    newest = latest_select(contract, place.stored(contract.table))
    newest += f"\nORDER BY {name(contract.time)} DESC\nLIMIT 1 BY {name(contract.entity)}"
    return [*found, Feeder(place.face(feeder(table)), place.stored(table), newest, table, contract.table)]


def latest_select(contract: Contract, qualified: str) -> str:
    """Return the query of all columns of the rows in `qualified`."""
    return f"SELECT {names(c.name for c in contract_columns(contract))}\nFROM {qualified}"


def now_statement(contract: Contract, place: Place) -> str:
    """Return the statement of the view that shows exactly one row an entity, the newest."""
    select = latest_select(contract, place.face(latest_table(contract)))
    return f"CREATE OR REPLACE VIEW {place.face(now_view(contract))}{place.on_cluster} AS\n{select} FINAL"


def rollup_select(contract: Contract, step: Rollup, source: str, qualified: str, timezone: str) -> str:
    """Return the query that sums `source` (the rows, or a finer rollup), found at `qualified`, up to `step`.

    Minutes and hours are UTC's; days are calendar days of `timezone`.
    """
    key, time = name(contract.entity), name(contract.time)
    zone = literal(timezone)
    observed = f"s.{time}"
    start = {
        "1m": f"toStartOfMinute({observed})",
        "1h": f"toStartOfHour({observed})",
        "1d": f"toDateTime(toDate({observed}, {zone}), {zone})",
    }[step]
    parts = [key, f"{start} AS {time}"]
    from_rows = source == contract.table
    parts.append("count() AS n" if from_rows else "sum(s.n) AS n")
    for prop in rolled_up(contract):
        total, count, least, most = (name(f"{prop.name}_{suffix}") for suffix in ("sum", "n", "min", "max"))
        value = f"s.{name(prop.name)}"
        if from_rows:
            added = value if prop.required else f"ifNull({value}, 0)"
            parts += [
                f"sum({added}) AS {total}",
                f"count({value}) AS {count}",
                f"min({value}) AS {least}",
                f"max({value}) AS {most}",
            ]
        else:
            parts += [f"sum(s.{total}) AS {total}", f"sum(s.{count}) AS {count}"]
            parts += [f"min(s.{least}) AS {least}", f"max(s.{most}) AS {most}"]
    columns = ",\n  ".join(parts)
    return f"SELECT\n  {columns}\nFROM {qualified} AS s\nGROUP BY {key}, {time}"


def ttl_of(contract: Contract) -> str:
    """Return the TTL expression of the contract's retention, in whole days."""
    return f"toDateTime({name(contract.time)}) + toIntervalDay({math.ceil(contract.retention.total_seconds() / 86400)})"


def _row_clauses(contract: Contract, place: Place) -> str:
    key, time = name(contract.entity), name(contract.time)
    engine = place.engine("", contract.table)
    return f"ENGINE = {engine}\nPARTITION BY toYYYYMM({time})\nORDER BY ({key}, {time})\nTTL {ttl_of(contract)}"


def _rollup_clauses(contract: Contract, place: Place, step: Rollup) -> str:
    """Minutes go with the rows; hours and days stay."""
    key, time, minutes = name(contract.entity), name(contract.time), step == "1m"
    engine = place.engine("Aggregating", rollup_table(contract, step))
    partition, ttl = ("toYYYYMM", f"\nTTL {ttl_of(contract)}") if minutes else ("toYear", "")
    return f"ENGINE = {engine}\nPARTITION BY {partition}({time})\nORDER BY ({key}, {time}){ttl}"


def _latest_clauses(contract: Contract, place: Place) -> str:
    engine = place.engine("Replacing", latest_table(contract), name(contract.time))
    return f"ENGINE = {engine}\nORDER BY {name(contract.entity)}\nTTL {ttl_of(contract)}"
