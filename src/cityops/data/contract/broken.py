"""Collects which rule each row breaks first, without looking at rows that keep the contract."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Mask = npt.NDArray[np.bool_]


class Broken:
    """First broken rule of each of `rows` rows; rules count in the order they are added."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._rules: list[str] = []
        self._codes: npt.NDArray[np.int32] | None = None

    def add(self, mask: Mask, rule: str) -> None:
        """Mark the rows of `mask` as breaking `rule`, unless they broke an earlier one."""
        if not mask.any():
            return
        if self._codes is None:
            self._codes = np.full(self._rows, -1, dtype=np.int32)
        self._codes[mask & (self._codes < 0)] = len(self._rules)
        self._rules.append(rule)

    def rules(self) -> pa.StringArray:
        """Return a rule per row, null where the row keeps the contract."""
        if self._codes is None:
            return pa.nulls(self._rows, pa.string())
        codes = pa.array(self._codes, mask=self._codes < 0)
        return pa.array(self._rules, pa.string()).take(codes)


def mask_of(values: pa.Array) -> Mask:
    """Return a boolean Arrow array as NumPy, null as False."""
    return np.asarray(values.fill_null(False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array, without a copy when it is one chunk."""
    if column.num_chunks == 1:
        return column.chunk(0)
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)
