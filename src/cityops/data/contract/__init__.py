"""Data contracts: what a data set is, and everything that follows from it (schemas, tables, checks)."""

from cityops.data.contract.checks import FUTURE_TOLERANCE, broken_rules
from cityops.data.contract.errors import ContractError, MigrationError, UnknownContractError
from cityops.data.contract.loader import Contracts, load_contract, load_contracts
from cityops.data.contract.model import ROLLUPS, SYSTEM_FIELDS, TIMESTAMP, Contract, Property
from cityops.data.contract.tables import DATABASE, QUARANTINE, latest_table, now_view, rollup_table
from cityops.data.contract.wire import from_wire

__all__ = [
    "DATABASE",
    "FUTURE_TOLERANCE",
    "QUARANTINE",
    "ROLLUPS",
    "SYSTEM_FIELDS",
    "TIMESTAMP",
    "Contract",
    "ContractError",
    "Contracts",
    "MigrationError",
    "Property",
    "UnknownContractError",
    "broken_rules",
    "from_wire",
    "latest_table",
    "load_contract",
    "load_contracts",
    "now_view",
    "rollup_table",
]
