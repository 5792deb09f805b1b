"""Brings the database `cityops` to what the contracts say, and keeps a record of every change made."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime

import pyarrow as pa

from cityops.data.contract import DATABASE, EXISTING_QUERY, Contract, Contracts, common_ddl, existing_tables, migration
from cityops.data.contract.installed import installed_contracts
from cityops.data.warehouse.client import Warehouse
from cityops.settings import Settings

RECORD = "schema_migration"
_RECORD_DDL = f"""CREATE TABLE IF NOT EXISTS {DATABASE}.{RECORD} (
  applied_at DateTime64(3, 'UTC'),
  contract LowCardinality(String) COMMENT 'Name of the contract, empty for what all share',
  version LowCardinality(String),
  number UInt32 COMMENT 'Place of the statement in its migration',
  statement String CODEC(ZSTD(3))
) ENGINE = MergeTree ORDER BY (applied_at, contract, number) SETTINGS fsync_after_insert = 1"""
_RECORD_SCHEMA = pa.schema(
    [
        ("applied_at", pa.timestamp("ms", "UTC")),
        ("contract", pa.string()),
        ("version", pa.string()),
        ("number", pa.uint32()),
        ("statement", pa.string()),
    ]
)

log = logging.getLogger(__name__)


def migrate(settings: Settings, contracts: Contracts | None = None, *, timeout: float = 60.0) -> list[str]:
    """Wait for the warehouse, bring it up to `contracts` (all installed ones) and return the statements that were run.

    Raises WarehouseUnavailable, WarehouseError, and MigrationError for a contract that would lose or falsify data.
    """
    with Warehouse(settings.warehouse_url) as warehouse:
        warehouse.wait_until_ready(timeout)
        return upgrade(warehouse, (installed_contracts() if contracts is None else contracts).values())


def upgrade(warehouse: Warehouse, contracts: Iterable[Contract]) -> list[str]:
    """Bring the database up to `contracts` and return the statements that were run, none when it was.

    Nothing may write to the tables meanwhile. After a failure or a crash it is simply run again. Raises as `migrate`.
    """
    shared = [*common_ddl(), _RECORD_DDL]
    known = existing_tables(_rows(warehouse))
    run: list[str] = []
    if len(known) == 0 or RECORD not in known:
        run += _apply(warehouse, "", "", shared)
    else:
        for statement in shared:
            warehouse.command(statement)
    for contract in contracts:
        statements = migration(contract, known)
        run += _apply(warehouse, contract.name, contract.version, statements)
        if statements:
            log.info(
                "tables of %s brought to version %s: %d statements", contract.name, contract.version, len(statements)
            )
    return run


def _apply(warehouse: Warehouse, contract: str, version: str, statements: list[str]) -> list[str]:
    for statement in statements:
        warehouse.command(statement)
    if statements:
        now = datetime.now(UTC)
        rows = [
            {"applied_at": now, "contract": contract, "version": version, "number": number, "statement": statement}
            for number, statement in enumerate(statements)
        ]
        warehouse.insert(f"{DATABASE}.{RECORD}", pa.Table.from_pylist(rows, _RECORD_SCHEMA))
    return statements


def _rows(warehouse: Warehouse) -> list[tuple[str, str, str, str]]:
    found = warehouse.query(EXISTING_QUERY).select(["table", "column", "type", "engine"])
    return list(zip(*(column.to_pylist() for column in found.columns), strict=True)) if found.num_rows else []
