"""ClickHouse columns of a contract's tables: types, codecs and comments, and how names and texts are quoted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cityops.data.contract.model import Contract, Property, Rollup

_TIME_CODEC = "DoubleDelta, ZSTD(1)"
_ARRIVAL = "DateTime64(3, 'UTC')"


@dataclass(frozen=True)
class Column:
    """A column: ClickHouse type as the server spells it, codec ("" for the server's own choice) and comment."""

    name: str
    type: str
    codec: str = ""
    comment: str = ""

    @property
    def definition(self) -> str:
        """SQL of the column in CREATE TABLE and ADD COLUMN."""
        codec = f" CODEC({self.codec})" if self.codec else ""
        comment = f" COMMENT {literal(self.comment)}" if self.comment else ""
        return f"{name(self.name)} {self.type}{codec}{comment}"


SYSTEM_COLUMNS = (
    Column("_arrived_at", _ARRIVAL, _TIME_CODEC, "When the log took the message"),
    Column("_source", "LowCardinality(String)", "", "Id of the source"),
    Column("_stream", "LowCardinality(String)", "", "Stream of the log"),
    Column("_seq", "UInt64", "Delta, ZSTD(1)", "Sequence number of the message in its stream"),
)
QUARANTINE_COLUMNS = (
    Column("contract", "LowCardinality(String)"),
    Column("rule", "LowCardinality(String)", "", "rule:property that the row broke first"),
    Column("reason", "String", "ZSTD(1)", "The rule in words"),
    Column("raw", "String", "ZSTD(3)", "Bytes of the row as they came"),
    Column("content_type", "LowCardinality(String)"),
    *SYSTEM_COLUMNS,
    Column("_row", "UInt32", "Delta, ZSTD(1)", "Number of the row in its message, from 0"),
)


def contract_columns(contract: Contract) -> tuple[Column, ...]:
    """Return the columns of the contract's own table, in the order of `contract.table_schema`."""
    return (*(column for prop in contract.properties for column in _columns(prop)), *SYSTEM_COLUMNS)


def rollup_columns(contract: Contract, step: Rollup, timezone: str) -> tuple[Column, ...]:
    """Return the columns of a rollup table: key, `n` rows, and sum, count, minimum and maximum of every number.

    The zone stands in the type of the daily time, so that days of two zones can never be mixed in one table unnoticed.
    """
    (entity,) = _columns(contract.by_name[contract.entity])
    zone = timezone if step == "1d" else "UTC"
    columns = [
        Column(entity.name, entity.type, entity.codec, entity.comment),
        Column(contract.time, f"DateTime({literal(zone)})", _TIME_CODEC, "Start of the interval"),
        Column("n", "SimpleAggregateFunction(sum, UInt64)", "", "Rows in the interval"),
    ]
    for prop in rolled_up(contract):
        kind = "Float64" if prop.type == "number" else "Int64"
        columns += [
            Column(f"{prop.name}_sum", f"SimpleAggregateFunction(sum, {kind})"),
            Column(f"{prop.name}_n", "SimpleAggregateFunction(sum, UInt64)"),
            Column(f"{prop.name}_min", f"SimpleAggregateFunction(min, Nullable({kind}))"),
            Column(f"{prop.name}_max", f"SimpleAggregateFunction(max, Nullable({kind}))"),
        ]
    return tuple(columns)


def rolled_up(contract: Contract) -> tuple[Property, ...]:
    """Return the numeric properties that rollups summarise."""
    return tuple(p for p in contract.properties if p.rollup)


def name(identifier: str) -> str:
    """Return `identifier` quoted for ClickHouse; the loader admits only snake_case, so nothing needs escaping."""
    return f"`{identifier}`"


def names(identifiers: Iterable[str]) -> str:
    """Return quoted identifiers, comma-separated."""
    return ", ".join(map(name, identifiers))


def literal(text: str) -> str:
    """Return `text` as a ClickHouse string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _columns(prop: Property) -> list[Column]:
    base, codec = {
        "string": ("String", "ZSTD(1)"),
        "number": ("Float64", "ZSTD(1)"),
        "integer": ("Int64", "ZSTD(1)"),
        "boolean": ("Bool", ""),
        "timestamp": ("DateTime64(3, 'UTC')", _TIME_CODEC),
        "point": ("Float64", "ZSTD(1)"),
    }[prop.type]
    kind = base if prop.required else f"Nullable({base})"
    if prop.low_cardinality:
        kind, codec = f"LowCardinality({kind})", ""
    title = " / ".join(dict.fromkeys((prop.title.get("zh", prop.name), prop.title.get("en", prop.name))))
    comment = f"{title} [{prop.unit}]" if prop.unit else title
    return [Column(column, kind, codec, comment) for column in prop.columns]
