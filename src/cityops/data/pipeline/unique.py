"""Rows seen lately: a set of 64-bit keys in two generations, so that a resent row is found without a question."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cityops.data.contract import Contract
from cityops.data.contract.broken import one_array

Keys = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]
Times = npt.NDArray[np.int64]

CAPACITY = 4_000_000
"""Keys of one generation: at most 2 × 64 MB, and at 150,000 rows a second half a minute of memory."""

_FIRST_SLOTS = 1 << 12
_TEXT_BYTES = 256
_FIXED = np.random.Generator(np.random.PCG64(20260301))
_MULTIPLIERS = _FIXED.integers(1, 2**63, _TEXT_BYTES, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_SPLIT = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def row_keys(contract: Contract, table: pa.Table) -> tuple[Keys, Times]:
    """Return per row a 64-bit hash of contract, entity and time, and the time in epoch ms. Neither may be null."""
    entities = one_array(table.column(contract.entity)).dictionary_encode()
    words = _text_hashes(entities.dictionary)
    times = one_array(table.column(contract.time)).cast(pa.int64()).to_numpy()
    seed = _text_hashes(pa.array([contract.name]))[0]
    with np.errstate(over="ignore"):
        mixed = words[entities.indices.to_numpy()] ^ _mix(times.astype(np.uint64) + seed)
        return _mix(mixed) | np.uint64(1), times  # never 0: an empty slot


def _mix(values: Keys) -> Keys:
    """Finaliser of SplitMix64 (Steele, Lea, Flood 2014): every input bit changes every output bit."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * _SPLIT[0]
        values = (values ^ (values >> np.uint64(27))) * _SPLIT[1]
        return values ^ (values >> np.uint64(31))


def _text_hashes(words: pa.StringArray) -> Keys:
    """Return a multilinear hash of each text: bytes times fixed random numbers by position (Carter, Wegman 1979)."""
    offsets = np.frombuffer(words.buffers()[1], np.int32)[words.offset : words.offset + len(words) + 1].astype(np.int64)
    data = words.buffers()[2]
    letters = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    letters = letters[offsets[0] : offsets[-1]].astype(np.uint64) + np.uint64(1)
    starts, lengths = offsets[:-1] - offsets[0], np.diff(offsets)
    position = np.arange(len(letters)) - np.repeat(starts, lengths)
    with np.errstate(over="ignore"):
        # Beyond the table of multipliers positions repeat, told apart by their round.
        weights = _MULTIPLIERS[position % _TEXT_BYTES] + (position // _TEXT_BYTES).astype(np.uint64) * _SPLIT[0]
        sums = np.concatenate(([np.uint64(0)], np.cumsum(letters * weights, dtype=np.uint64)))
        hashes = sums[starts + lengths] - sums[starts] + lengths.astype(np.uint64) * _SPLIT[1]
    return _mix(hashes)


class KeySet:
    """A set of non-zero 64-bit keys in open addressing, all operations on whole arrays."""

    def __init__(self) -> None:
        self._slots = np.zeros(_FIRST_SLOTS, np.uint64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def contains(self, keys: Keys) -> Mask:
        """Return which of `keys` are members."""
        found = np.zeros(len(keys), np.bool_)
        mask = np.uint64(len(self._slots) - 1)
        rows = np.arange(len(keys))
        slots = (keys >> np.uint64(1)) & mask
        while len(rows):
            held = self._slots[slots]
            same = held == keys[rows]
            found[rows[same]] = True
            on = ~same & (held != 0)
            rows, slots = rows[on], (slots[on] + np.uint64(1)) & mask
        return found

    def add(self, keys: Keys) -> None:
        """Add `keys`, all different and none a member."""
        while (self._count + len(keys)) * 2 > len(self._slots):
            held = self._slots[self._slots != 0]
            self._slots = np.zeros(len(self._slots) * 2, np.uint64)
            self._place(held)
        self._place(keys)
        self._count += len(keys)

    def _place(self, keys: Keys) -> None:
        mask = np.uint64(len(self._slots) - 1)
        slots = (keys >> np.uint64(1)) & mask
        while len(keys):
            free = self._slots[slots] == 0
            self._slots[slots[free]] = keys[free]
            # Where several keys wrote to one free slot the last stays; the others go on.
            left = self._slots[slots] != keys
            keys, slots = keys[left], (slots[left] + np.uint64(1)) & mask


class RecentRows:
    """Keys of the rows seen since `horizon_ms` of arrival.

    A row whose time is after the horizon and whose key is not here was never seen: what was forgotten had arrived by
    the horizon, and rows dated after their arrival are carried over. A row dated before it must be looked up in the
    warehouse.
    """

    def __init__(self, horizon_ms: int, capacity: int = CAPACITY) -> None:
        self.horizon_ms = horizon_ms
        self._capacity = capacity
        self._old, self._new = KeySet(), KeySet()
        self._old_until = self._new_until = horizon_ms
        self._ahead: list[tuple[Keys, Times]] = []

    def __len__(self) -> int:
        return len(self._old) + len(self._new)

    def add(self, keys: Keys, times: Times, arrived_ms: int) -> Mask:
        """Remember rows that arrived by `arrived_ms`; return which were there already, or earlier among `keys`."""
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        repeated = np.zeros(len(keys), np.bool_)
        repeated[order[1:]] = ordered[1:] == ordered[:-1]
        seen = repeated | self._old.contains(keys) | self._new.contains(keys)
        fresh = keys[~seen]
        if len(self._new) and len(self._new) + len(fresh) > self._capacity:
            self._forget()
        self._new.add(fresh)
        self._new_until = max(self._new_until, arrived_ms)
        ahead = ~seen & (times > arrived_ms)
        if ahead.any():
            self._ahead.append((keys[ahead], times[ahead]))
        return seen

    def _forget(self) -> None:
        """Drop the older generation; its rows that are dated after the new horizon stay."""
        self.horizon_ms = max(self.horizon_ms, self._old_until)
        self._old, self._old_until = self._new, self._new_until
        self._new = KeySet()
        kept = [(k[t > self.horizon_ms], t[t > self.horizon_ms]) for k, t in self._ahead]
        self._ahead = [(keys, times) for keys, times in kept if len(keys)]
        for keys, _ in self._ahead:
            self._new.add(keys[~self._old.contains(keys) & ~self._new.contains(keys)])
