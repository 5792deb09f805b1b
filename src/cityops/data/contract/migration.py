"""Brings a contract's tables up to its newest version: adds what is new, refuses what would lose or falsify data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cityops.data.contract.columns import Column, contract_columns, name, rollup_columns
from cityops.data.contract.ddl import (
    TIMEZONE,
    Feeder,
    Place,
    contract_tables,
    ddl,
    feeders,
    latest_select,
    now_statement,
    rollup_select,
    ttl_of,
)
from cityops.data.contract.errors import MigrationError
from cityops.data.contract.model import ROLLUPS, Contract
from cityops.data.contract.tables import DATABASE, feeder, latest_table, now_view, rollup_table

EXISTING_QUERY = f"""SELECT t.name AS table, c.name AS column, c.type AS type, t.engine_full AS engine
FROM system.tables AS t INNER JOIN system.columns AS c ON c.database = t.database AND c.table = t.name
WHERE t.database = '{DATABASE}'"""  # noqa: S608  # a constant of ours, no input
"""Query whose rows `existing_tables` reads."""


@dataclass
class Existing:
    """A table as the warehouse has it: column → type, and the full engine clause."""

    columns: dict[str, str] = field(default_factory=dict)
    engine: str = ""


def existing_tables(rows: Iterable[tuple[str, str, str, str]]) -> dict[str, Existing]:
    """Return tables (and views) by name from the rows (table, column, type, engine) of EXISTING_QUERY."""
    tables: dict[str, Existing] = {}
    for table, column, kind, engine in rows:
        found = tables.setdefault(table, Existing(engine=engine))
        found.columns[column] = kind
    return tables


def migration(
    contract: Contract, existing: Mapping[str, Existing], *, cluster: str | None = None, timezone: str = TIMEZONE
) -> list[str]:
    """Return the statements that bring `existing` up to `contract`; none when nothing changed. Raises MigrationError.

    Run them in order while nothing writes to the contract's tables. They can be computed and run again after a crash
    at any point: what feeds a table is made only once it is filled, so a table without feeder is filled anew.
    """
    if contract.table not in existing:
        return ddl(contract, cluster=cluster, timezone=timezone)
    _refuse_lost_rollups(contract, existing)
    place = Place(cluster)
    alters = _alters(contract, existing, place, timezone)
    makes = contract_tables(contract, place, timezone)
    made = [statement for table, make in makes.items() if table not in existing for statement in make]
    feeds = feeders(contract, place, timezone)
    fills = [
        s
        for feed in feeds
        if feeder(feed.table) not in existing
        for s in _fill(contract, feed, existing, place, timezone)
    ]
    if not (alters or made or fills) and now_view(contract) in existing:
        return []
    kept = [f for f in feeds if feeder(f.table) in existing]
    turned = [f"ALTER TABLE {feed.view}{place.on_cluster} MODIFY QUERY {feed.select}" for feed in kept]
    # The view goes first and comes last: where it is missing, a migration was cut short.
    opened = f"DROP VIEW IF EXISTS {place.face(now_view(contract))}{place.on_cluster}"
    return [opened, *alters, *made, *fills, *turned, now_statement(contract, place)]


def _refuse_lost_rollups(contract: Contract, existing: Mapping[str, Existing]) -> None:
    for step in ROLLUPS:
        table = rollup_table(contract, step)
        if step not in contract.rollups and feeder(table) in existing:
            raise MigrationError(
                f"{contract.name}: rollup {step} is no longer declared, but {DATABASE}.{table} holds data; "
                f"declare it again, or drop {table} and {feeder(table)} by hand"
            )


def _alters(contract: Contract, existing: Mapping[str, Existing], place: Place, timezone: str) -> list[str]:
    rows = contract_columns(contract)
    wanted = {contract.table: rows, latest_table(contract): rows}
    wanted |= {rollup_table(contract, step): rollup_columns(contract, step, timezone) for step in contract.rollups}
    required = {c for p in contract.properties if p.required for c in p.columns}
    statements: list[str] = []
    for table, columns in wanted.items():
        if table not in existing:
            continue
        changes = _changes(contract, table, columns, existing[table].columns, required)
        targets = [place.stored(table), place.face(table)] if place.cluster else [place.stored(table)]
        statements += [f"ALTER TABLE {target}{place.on_cluster} {change}" for change in changes for target in targets]
        engine = existing[table].engine
        if "TTL" in engine and _plain(ttl_of(contract)) not in _plain(engine):
            statements.append(f"ALTER TABLE {place.stored(table)}{place.on_cluster} MODIFY TTL {ttl_of(contract)}")
    return statements


def _changes(
    contract: Contract, table: str, columns: tuple[Column, ...], found: Mapping[str, str], required: set[str]
) -> list[str]:
    """Return the ADD and MODIFY COLUMN clauses that `table` needs."""
    where = f"{contract.name}: {DATABASE}.{table}"
    for lost in found.keys() - {c.name for c in columns}:
        raise MigrationError(
            f"{where}: column {lost} is no longer in the contract, but holds data; "
            f"declare it again (optional), or drop it by hand"
        )
    clauses: list[str] = []
    for column in columns:
        if column.name not in found:
            if column.name in required:
                raise MigrationError(
                    f"{where}: new property {column.name} must be optional: stored rows have no value for it"
                )
            clauses.append(f"ADD COLUMN IF NOT EXISTS {column.definition}")
        elif _plain(found[column.name]) != _plain(column.type):
            old, new = found[column.name], column.type
            if column.name in contract.primary_key or not _widens(old, new):
                raise MigrationError(
                    f"{where}: column {column.name} is stored as {old} and cannot become {new} without falsifying "
                    f"stored data; keep the type, or declare a new property beside it"
                )
            clauses.append(f"MODIFY COLUMN {column.definition}")
    return clauses


def _fill(contract: Contract, feed: Feeder, existing: Mapping[str, Existing], place: Place, timezone: str) -> list[str]:
    """Return the statements that fill a target from what it will be fed by, then create its feeder."""
    target = place.face(feed.table)
    statements = [f"TRUNCATE TABLE {feed.target}{place.on_cluster}"] if feed.table in existing else []
    steps = {rollup_table(contract, step): step for step in contract.rollups}
    if step := steps.get(feed.table):
        columns = rollup_columns(contract, step, timezone)
        select = rollup_select(contract, step, feed.source, place.face(feed.source), timezone)
        # Rows lie in the order of the groups: read so, a table of any size is summed in little memory.
        select += "\nSETTINGS optimize_aggregation_in_order = 1"
    else:
        columns = contract_columns(contract)
        select = latest_select(contract, place.face(contract.table))
    listed = ", ".join(name(c.name) for c in columns)
    statements.append(f"INSERT INTO {target} ({listed})\n{select}")
    statements.append(
        f"CREATE MATERIALIZED VIEW IF NOT EXISTS {feed.view}{place.on_cluster} TO {feed.target} AS\n{feed.select}"
    )
    return statements


def _widens(old: str, new: str) -> bool:
    """Say whether every value of `old` is one of `new`: null becomes possible, or only the dictionary differs."""
    old_base, old_nullable = _core(old)
    new_base, new_nullable = _core(new)
    return old_base == new_base and (new_nullable or not old_nullable)


def _core(kind: str) -> tuple[str, bool]:
    plain = _plain(kind)
    if plain.startswith("LowCardinality("):
        plain = plain[len("LowCardinality(") : -1]
    nullable = plain.startswith("Nullable(")
    return (plain[len("Nullable(") : -1] if nullable else plain), nullable


def _plain(text: str) -> str:
    return text.replace(" ", "").replace("`", "").replace("\n", "")
