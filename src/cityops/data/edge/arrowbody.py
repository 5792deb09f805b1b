"""Arrow IPC streams from strangers: read whole, checked, never inflated beyond what was sent."""

from __future__ import annotations

import struct

import pyarrow as pa

_CONTINUATION = 0xFFFFFFFF
_RECORD_BATCH, _DICTIONARY_BATCH = 3, 2


class NotArrowError(ValueError):
    """Bytes that are no Arrow IPC stream we take; the message says why."""


def read_stream(body: bytes) -> pa.Table:
    """Return the table of an Arrow IPC stream. Raises NotArrowError, also for compressed buffers: they may inflate."""
    _refuse_compression(body)
    try:
        with pa.ipc.open_stream(pa.BufferReader(body)) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise NotArrowError(f"no Arrow IPC stream: {error}") from error
    if len(set(table.column_names)) < table.num_columns:
        raise NotArrowError("a column is named twice")
    return table


def _refuse_compression(body: bytes) -> None:
    """Walk the encapsulated messages (Arrow columnar format, IPC) and look for RecordBatch.compression."""
    view, at = memoryview(body), 0
    try:
        while at + 8 <= len(view):
            marker, size = struct.unpack_from("<II", view, at)
            if marker != _CONTINUATION:
                raise NotArrowError("no Arrow IPC stream: no message where one is due")
            if size == 0:
                return
            head = bytes(view[at + 8 : at + 8 + size])
            kind, batch, body_length = _message(head)
            if kind in {_RECORD_BATCH, _DICTIONARY_BATCH} and _is_compressed(head, kind, batch):
                raise NotArrowError("compressed buffers are not taken: send them plain, with Content-Encoding gzip")
            at += 8 + size + body_length
    except (struct.error, IndexError) as error:
        raise NotArrowError("no Arrow IPC stream: a message is cut short") from error


def _field(head: bytes, table: int, index: int) -> int:
    """Return the offset of field `index` of the flatbuffer table at `table`, 0 when it is absent."""
    vtable = table - struct.unpack_from("<i", head, table)[0]
    if vtable < 0:
        raise IndexError(vtable)
    size = struct.unpack_from("<H", head, vtable)[0]
    slot = 4 + 2 * index
    if slot + 2 > size:
        return 0
    offset = struct.unpack_from("<H", head, vtable + slot)[0]
    return table + offset if offset else 0


def _message(head: bytes) -> tuple[int, int, int]:
    """Return kind, offset of the header table and body length of a Message (its fields 1, 2 and 3)."""
    root = struct.unpack_from("<I", head, 0)[0]
    kind_at, header_at, length_at = (_field(head, root, index) for index in (1, 2, 3))
    kind = head[kind_at] if kind_at else 0
    header = header_at + struct.unpack_from("<I", head, header_at)[0] if header_at else 0
    length = struct.unpack_from("<q", head, length_at)[0] if length_at else 0
    if length < 0:
        raise IndexError(length)
    return kind, header, length


def _is_compressed(head: bytes, kind: int, table: int) -> bool:
    """RecordBatch.compression is field 3; DictionaryBatch holds its RecordBatch in field 1."""
    if kind == _DICTIONARY_BATCH:
        data = _field(head, table, 1)
        if not data:
            return False
        table = data + struct.unpack_from("<I", head, data)[0]
    return _field(head, table, 3) != 0
