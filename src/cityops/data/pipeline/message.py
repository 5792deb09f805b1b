"""One raw message of the log, and the part of a batch that became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Index = npt.NDArray[np.int64]


class Message(NamedTuple):
    """A message as the log holds it; `seq` and `arrived_ns` (epoch) are JetStream's, the same when read again."""

    seq: int
    arrived_ns: int
    contract: str
    source: str
    content_type: str
    mapping: str | None
    rows: int | None
    payload: bytes

    @property
    def arrived_ms(self) -> int:
        """Milliseconds since the epoch at which the log took the message."""
        return self.arrived_ns // 1_000_000


class Reject(NamedTuple):
    """A row that could not even be read: what rule it broke, why, and its bytes as they came."""

    message: int
    row: int
    rule: str
    reason: str
    raw: bytes
    content_type: str


RawRows = Callable[[Index], list[bytes]]


@dataclass
class Decoded:
    """Rows of several messages in the contract's types.

    `rules` names per row what is broken so far (null: nothing), `message` and `row` say which message of the group it
    came from and where in it it stood; `raw` gives the bytes of rows as they came, of type `raw_type`.
    """

    table: pa.Table
    rules: pa.StringArray
    message: Index
    row: Index
    raw: RawRows
    raw_type: str
    rejects: list[Reject] = field(default_factory=list)


def row_numbers(counts: Sequence[int]) -> tuple[Index, Index]:
    """Return for every row of messages with `counts` rows the number of its message, and its number in it."""
    sizes = np.asarray(counts, np.int64)
    message = np.repeat(np.arange(len(sizes)), sizes)
    starts = np.cumsum(sizes) - sizes
    return message, np.arange(len(message)) - np.repeat(starts, sizes)
