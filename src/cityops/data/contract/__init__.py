"""Data contracts: what a data set is, and everything that follows from it (schemas, tables, checks)."""

from cityops.data.contract.checks import FUTURE_TOLERANCE, broken_rules
from cityops.data.contract.ddl import TIMEZONE, common_ddl, ddl
from cityops.data.contract.errors import ContractError, MigrationError, UnknownContractError
from cityops.data.contract.loader import Contracts, load_contract, load_contracts
from cityops.data.contract.migration import EXISTING_QUERY, Existing, existing_tables, migration
from cityops.data.contract.model import ROLLUPS, SYSTEM_FIELDS, TIMESTAMP, Contract, Property
from cityops.data.contract.tables import DATABASE, QUARANTINE, latest_table, now_view, rollup_table
from cityops.data.contract.wire import from_wire

__all__ = [
    "DATABASE",
    "EXISTING_QUERY",
    "FUTURE_TOLERANCE",
    "QUARANTINE",
    "ROLLUPS",
    "SYSTEM_FIELDS",
    "TIMESTAMP",
    "TIMEZONE",
    "Contract",
    "ContractError",
    "Contracts",
    "Existing",
    "MigrationError",
    "Property",
    "UnknownContractError",
    "broken_rules",
    "common_ddl",
    "ddl",
    "existing_tables",
    "from_wire",
    "latest_table",
    "load_contract",
    "load_contracts",
    "migration",
    "now_view",
    "rollup_table",
]
