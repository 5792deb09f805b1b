"""Names of the warehouse tables and views that follow from a contract."""

from __future__ import annotations

from cityops.data.contract.model import Contract

DATABASE = "cityops"
QUARANTINE = "quarantine"
ROLLUP_SUFFIXES = ("sum", "n", "min", "max")
"""A rollup has, for every number p: p_sum, p_n (values that were not null), p_min and p_max."""


def relations(contract: Contract) -> tuple[str, ...]:
    """Return the names of every table and view of `contract`, its own table first."""
    targets = (*(rollup_table(contract, step) for step in contract.rollups), latest_table(contract))
    return (contract.table, *targets, *(feeder(target) for target in targets), now_view(contract))


def rollup_table(contract: Contract, step: str) -> str:
    """Return the table of one rollup step ("1m", "1h", "1d")."""
    return f"{contract.table}_{step}"


def latest_table(contract: Contract) -> str:
    """Return the table that holds the newest row of every entity (and, between merges, older ones)."""
    return f"{contract.table}_latest"


def now_view(contract: Contract) -> str:
    """Return the view that shows exactly the newest row of every entity."""
    return f"{contract.table}_now"


def feeder(table: str) -> str:
    """Return the materialised view that feeds `table`."""
    return f"{table}_mv"
