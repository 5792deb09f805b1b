"""CSV records to columns. Every message carries its header line; records that do not fit it are set aside."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv

from cityops.data.contract import Contract, from_wire
from cityops.data.contract.broken import one_array
from cityops.data.edge.csvtext import records
from cityops.data.edge.mapping import SourceMapping
from cityops.data.edge.transform import transform
from cityops.data.pipeline.media import csv_type
from cityops.data.pipeline.message import Decoded, Index, Message, Reject


def decode_csv(contract: Contract, mapping: SourceMapping | None, messages: Sequence[Message]) -> list[Decoded]:
    """Return the rows of `messages`, a part for each header line; what cannot be read is among the rejects."""
    headers: dict[bytes, list[tuple[int, list[bytes]]]] = {}
    for number, message in enumerate(messages):
        header, *rows = records(message.payload) or [b""]
        headers.setdefault(header, []).append((number, rows))
    return [_decode(contract, mapping, header, found) for header, found in headers.items()]


def _decode(
    contract: Contract, mapping: SourceMapping | None, header: bytes, found: list[tuple[int, list[bytes]]]
) -> Decoded:
    encoding, delimiter = (mapping.encoding, mapping.delimiter) if mapping else ("utf-8", ",")
    kind = csv_type(header)
    rejects: list[Reject] = []
    lines: list[bytes] = []
    texts: list[str] = []
    where: list[tuple[int, int]] = []
    for number, rows in found:
        for row, line in enumerate(rows):
            try:
                texts.append(line.decode(encoding))
            except UnicodeDecodeError as error:
                rejects.append(Reject(number, row, "csv:", f"not {encoding} at byte {error.start}", line, kind))
                continue
            lines.append(line)
            where.append((number, row))
    names, reason = _names(header, encoding, delimiter)
    if reason:
        rejects += [
            Reject(number, row, "csv:", reason, line, kind) for (number, row), line in zip(where, lines, strict=True)
        ]
        lines, texts, where = [], [], []
    table, kept = _read(names, texts, delimiter)
    lost = np.setdiff1d(np.arange(len(lines)), kept)
    misfit = f"not the {len(names)} fields of the header"
    rejects += [Reject(where[i][0], where[i][1], "csv:", misfit, lines[i], kind) for i in lost]
    place = np.asarray(where, np.int64).reshape(-1, 2)[kept]

    def raw(rows: Index) -> list[bytes]:
        return [lines[kept[i]] for i in rows]

    if mapping:
        typed, rules = transform(mapping, contract, table)
    else:
        typed, rules = from_wire(contract, _without_blanks(table))
    return Decoded(typed, rules, place[:, 0], place[:, 1], raw, kind, rejects)


def _names(header: bytes, encoding: str, delimiter: str) -> tuple[list[str], str]:
    try:
        text = header.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        return [], f"the header is not {encoding} at byte {error.start}"
    names = [name.strip() for name in next(csv.reader(io.StringIO(text), delimiter=delimiter), [])]
    if not names or len(set(names)) < len(names):
        return [], f"the header names no columns, or one twice: {text[:200]}"
    return names, ""


def _read(names: list[str], texts: list[str], delimiter: str) -> tuple[pa.Table, Index]:
    """Return the columns as text and the numbers of the records they hold."""
    if not texts:
        return pa.table({name: pa.array([], pa.string()) for name in names}), np.zeros(0, np.int64)
    lost: list[int] = []

    def set_aside(row: pc_csv.InvalidRow) -> str:
        lost.append(row.number - 1)
        return "skip"

    table = pc_csv.read_csv(
        pa.BufferReader("\n".join(texts).encode()),
        read_options=pc_csv.ReadOptions(column_names=names, use_threads=False, block_size=1 << 30),
        parse_options=pc_csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=set_aside
        ),
        convert_options=pc_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=False
        ),
    )
    kept = np.setdiff1d(np.arange(len(texts)), np.asarray(lost, np.int64))
    if table.num_rows != len(kept):  # quotes in the middle of a field: read record by record
        return _read_each(names, texts, delimiter)
    return table, kept


def _read_each(names: list[str], texts: list[str], delimiter: str) -> tuple[pa.Table, Index]:
    kept: list[int] = []
    rows: list[list[str]] = []
    for number, text in enumerate(texts):
        try:
            parsed = list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True))
        except csv.Error:
            continue
        if len(parsed) == 1 and len(parsed[0]) == len(names):
            rows.append(parsed[0])
            kept.append(number)
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    table = pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)})
    return table, np.asarray(kept, np.int64)


def _without_blanks(table: pa.Table) -> pa.Table:
    """Return the text columns with empty fields as null."""
    columns = {}
    for name in table.column_names:
        values = one_array(table.column(name))
        columns[name] = pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)
    return pa.table(columns)
