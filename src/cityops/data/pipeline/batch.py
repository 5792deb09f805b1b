"""A batch of messages through decode, map, check, enrich and the filter of doubles: good rows, and rows set aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cityops.data.contract import Contract, Contracts, UnknownContractError, broken_rules
from cityops.data.contract.broken import one_array
from cityops.data.edge.mapping import MappingError, SourceMapping
from cityops.data.pipeline.decode import decode
from cityops.data.pipeline.enrich import arrivals, enrich
from cityops.data.pipeline.message import Decoded, Index, Message
from cityops.data.pipeline.quarantine import UNIQUE, broken_rows, refused_message, rejected_rows
from cityops.data.pipeline.unique import Keys, Mask, RecentRows, Times, row_keys
from cityops.data.warehouse.client import WarehouseError
from cityops.technology.telemetry import Log

log = Log(__name__)

FindMapping = Callable[[str, str], SourceMapping]
"""(id, contract) → mapping. Raises MappingError."""

IsStored = Callable[[Contract, pa.Table, Keys, Times], Mask]
"""(contract, rows, their keys, their times) → which of them the warehouse has."""


@dataclass
class Batch:
    """What became of the messages `first`..`last`: rows by contract that keep it, and rows set aside."""

    first: int
    last: int
    last_ns: int
    messages: int
    good: dict[str, list[pa.Table]] = field(default_factory=dict)
    quarantined: list[pa.Table] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Number of rows, good and set aside."""
        return self.good_rows + self.quarantined_rows

    @property
    def good_rows(self) -> int:
        """Number of rows that keep their contract."""
        return sum(table.num_rows for tables in self.good.values() for table in tables)

    @property
    def quarantined_rows(self) -> int:
        """Number of rows set aside."""
        return sum(table.num_rows for table in self.quarantined)

    def join(self, later: Batch) -> None:
        """Take in the batch that follows this one."""
        self.last, self.last_ns = later.last, later.last_ns
        self.messages += later.messages
        for contract, tables in later.good.items():
            self.good.setdefault(contract, []).extend(tables)
        self.quarantined += later.quarantined


def process_all(
    stream: str,
    messages: Sequence[Message],
    contracts: Contracts,
    find_mapping: FindMapping,
    recent: RecentRows,
    is_stored: IsStored,
) -> Batch:
    """As `process`, but a message on which our own code fails is set aside by itself instead of stopping the stream."""
    try:
        return process(stream, messages, contracts, find_mapping, recent, is_stored)
    except WarehouseError:
        raise
    except Exception as error:  # whatever it is, the next messages must go on
        if len(messages) == 1:
            log.exception("a message could not be processed", stream=stream, seq=messages[0].seq)
            batch = Batch(messages[0].seq, messages[0].seq, messages[0].arrived_ns, 1)
            batch.quarantined.append(refused_message(messages[0], stream, "failed:", repr(error)[:500]))
            return batch
    middle = len(messages) // 2
    batch = process_all(stream, messages[:middle], contracts, find_mapping, recent, is_stored)
    batch.join(process_all(stream, messages[middle:], contracts, find_mapping, recent, is_stored))
    return batch


def process(
    stream: str,
    messages: Sequence[Message],
    contracts: Contracts,
    find_mapping: FindMapping,
    recent: RecentRows,
    is_stored: IsStored,
) -> Batch:
    """Return what becomes of `messages`, which follow each other in `stream`; `recent` learns their rows.

    Whatever `is_stored` raises goes to the caller with nothing learnt, so that the same messages can be given again.
    """
    batch = Batch(messages[0].seq, messages[-1].seq, messages[-1].arrived_ns, len(messages))
    groups: dict[tuple[str, str, str | None], list[Message]] = {}
    for message in messages:
        groups.setdefault((message.contract, message.content_type, message.mapping), []).append(message)
    sound: list[_Sound] = []
    for (name, content_type, mapping_id), group in groups.items():
        try:
            contract = contracts[name]
            mapping = find_mapping(mapping_id, name) if mapping_id else None
        except (UnknownContractError, MappingError) as error:
            rule = "mapping:" if isinstance(error, MappingError) else "contract:"
            batch.quarantined += [refused_message(m, stream, rule, str(error)) for m in group]
            continue
        for decoded in decode(contract, content_type, mapping, group):
            rows = _checked(batch, stream, contract, decoded, group)
            sound += [rows] if rows else []
    for rows in sound:
        late = rows.times <= recent.horizon_ms
        if late.any():
            chosen = rows.table if late.all() else rows.table.filter(pa.array(late))
            rows.stored[late] = is_stored(rows.contract, chosen, rows.keys[late], rows.times[late])
    for rows in sound:
        seen = recent.add(rows.keys, rows.times, batch.last_ns // 1_000_000) | rows.stored
        table = rows.table
        if seen.any():
            unique = pa.repeat(UNIQUE, rows.decoded.table.num_rows)
            doubles = rows.numbers[seen]
            batch.quarantined.append(broken_rows(rows.contract, rows.decoded, rows.messages, stream, unique, doubles))
            table = table.filter(pa.array(~seen))
        if table.num_rows:
            batch.good.setdefault(rows.contract.name, []).append(table)
    return batch


@dataclass
class _Sound:
    """Rows that keep their contract: `numbers` are theirs in `decoded`; `stored` says which the warehouse has."""

    contract: Contract
    decoded: Decoded
    messages: Sequence[Message]
    numbers: Index
    table: pa.Table
    keys: Keys
    times: Times
    stored: Mask


def _checked(
    batch: Batch, stream: str, contract: Contract, decoded: Decoded, messages: Sequence[Message]
) -> _Sound | None:
    """Set aside what breaks the contract and return the rest, None when there is none."""
    if decoded.rejects:
        batch.quarantined.append(rejected_rows(contract.name, decoded, messages, stream))
    count = decoded.table.num_rows
    if count == 0:
        return None
    rules = decoded.rules
    broken = broken_rules(contract, decoded.table, arrivals(decoded, messages))
    if broken.null_count < count:
        rules = broken if rules.null_count == count else pc.coalesce(rules, broken)
    table = enrich(decoded, messages, stream)
    numbers = np.arange(count)
    if rules.null_count < count:
        kept = rules.is_null().to_numpy(zero_copy_only=False)
        numbers, bad = np.flatnonzero(kept), np.flatnonzero(~kept)
        batch.quarantined.append(broken_rows(contract, decoded, messages, stream, rules, bad))
        if not len(numbers):
            return None
        table = table.take(pa.array(numbers))
    keys, times = row_keys(contract, table)
    return _Sound(contract, decoded, messages, numbers, table, keys, times, np.zeros(len(keys), np.bool_))


def newest(contract: Contract, table: pa.Table) -> pa.Table:
    """Return the row of latest time of each entity of `table`."""
    times = one_array(table.column(contract.time)).cast(pa.int64()).to_numpy()
    entities = one_array(table.column(contract.entity)).dictionary_encode()
    codes = entities.indices.to_numpy()
    latest = np.empty(len(entities.dictionary), np.int64)
    order = np.argsort(times, kind="stable")
    latest[codes[order]] = order  # later writes win, and they have later times
    return table.take(pa.array(np.sort(latest)))
