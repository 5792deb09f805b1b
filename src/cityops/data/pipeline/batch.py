"""A batch of messages through decode, map, check, enrich and the unique filter: rows for the warehouse, rows set aside."""

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
from cityops.data.pipeline.message import Message
from cityops.data.pipeline.quarantine import UNIQUE, broken_rows, refused_message, rejected_rows
from cityops.data.pipeline.unique import RecentRows, row_keys

FindMapping = Callable[[str, str], SourceMapping]
"""(id, contract) → mapping. Raises MappingError."""


@dataclass
class Batch:
    """What became of the messages `first`..`last`: rows by contract that keep it, and rows set aside."""

    first: int
    last: int
    last_arrived_ms: int
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
        self.last, self.last_arrived_ms = later.last, later.last_arrived_ms
        self.messages += later.messages
        for contract, tables in later.good.items():
            self.good.setdefault(contract, []).extend(tables)
        self.quarantined += later.quarantined


def process(
    stream: str,
    messages: Sequence[Message],
    contracts: Contracts,
    find_mapping: FindMapping,
    recent: RecentRows,
) -> Batch:
    """Return what becomes of `messages`, which follow each other in `stream`; `recent` learns their rows."""
    batch = Batch(messages[0].seq, messages[-1].seq, messages[-1].arrived_ms, len(messages))
    groups: dict[tuple[str, str, str | None], list[Message]] = {}
    for message in messages:
        groups.setdefault((message.contract, message.content_type, message.mapping), []).append(message)
    for (name, content_type, mapping_id), group in groups.items():
        try:
            contract = contracts[name]
            mapping = find_mapping(mapping_id, name) if mapping_id else None
        except (UnknownContractError, MappingError) as error:
            rule = "mapping:" if isinstance(error, MappingError) else "contract:"
            batch.quarantined += [refused_message(m, stream, rule, str(error)) for m in group]
            continue
        _process_group(batch, stream, contract, content_type, mapping, group, recent)
    return batch


def _process_group(
    batch: Batch,
    stream: str,
    contract: Contract,
    content_type: str,
    mapping: SourceMapping | None,
    messages: Sequence[Message],
    recent: RecentRows,
) -> None:
    for decoded in decode(contract, content_type, mapping, messages):
        if decoded.rejects:
            batch.quarantined.append(rejected_rows(contract.name, decoded, messages, stream))
        if decoded.table.num_rows == 0:
            continue
        arrived = arrivals(decoded, messages)
        rules = decoded.rules
        broken = broken_rules(contract, decoded.table, arrived)
        if broken.null_count < len(broken):
            rules = broken if rules.null_count == len(rules) else pc.coalesce(rules, broken)
        good = np.arange(decoded.table.num_rows)
        table = enrich(decoded, messages, stream)
        if rules.null_count < len(rules):
            sound = rules.is_null().to_numpy(zero_copy_only=False)
            bad, good = np.flatnonzero(~sound), np.flatnonzero(sound)
            batch.quarantined.append(broken_rows(contract, decoded, messages, stream, rules, bad))
            table = table.take(pa.array(good))
        if not table.num_rows:
            continue
        keys, times = row_keys(contract, table)
        seen = recent.add(keys, times, messages[-1].arrived_ms)
        if seen.any():
            unique = pa.repeat(UNIQUE, decoded.table.num_rows)
            batch.quarantined.append(broken_rows(contract, decoded, messages, stream, unique, good[seen]))
            table = table.filter(pa.array(~seen))
        if table.num_rows:
            batch.good.setdefault(contract.name, []).append(table)


def newest(contract: Contract, table: pa.Table) -> pa.Table:
    """Return the row of latest time of each entity of `table`."""
    times = one_array(table.column(contract.time)).cast(pa.int64()).to_numpy()
    entities = one_array(table.column(contract.entity)).dictionary_encode()
    codes = entities.indices.to_numpy()
    latest = np.empty(len(entities.dictionary), np.int64)
    order = np.argsort(times, kind="stable")
    latest[codes[order]] = order  # later writes win, and they have later times
    return table.take(pa.array(np.sort(latest)))
