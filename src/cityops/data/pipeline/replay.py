"""Rows in quarantine: what is there, and back to the log with them once the cause is mended."""
# ruff: noqa: S608  # names are constants, values are bound

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from nats.errors import Error as NatsError

from cityops.data.contract import DATABASE, QUARANTINE
from cityops.data.edge.body import MAX_MESSAGE
from cityops.data.pipeline.media import Media, parse_media
from cityops.data.warehouse.client import AsyncWarehouse
from cityops.settings import Settings
from cityops.technology import bus

_TABLE = f"{DATABASE}.{QUARANTINE}"


@dataclass(frozen=True)
class Held:
    """Rows of one contract in quarantine under one rule: how many, since when, from where, one as an example."""

    contract: str
    rule: str
    reason: str
    rows: int
    first: datetime
    last: datetime
    sources: tuple[str, ...]
    example: str


class _Kind(NamedTuple):
    contract: str
    source: str
    media: Media


async def held(warehouse: AsyncWarehouse, contract: str | None = None) -> list[Held]:
    """Return what is in quarantine, of `contract` or of all, most rows first. Raises WarehouseError."""
    where = "WHERE contract = {contract:String}" if contract else ""
    found = await warehouse.query(
        f"SELECT contract, rule, any(reason) AS reason, count() AS rows, min(_arrived_at) AS first, "
        f"max(_arrived_at) AS last, groupUniqArray(20)(toString(_source)) AS sources, any(raw) AS example "
        f"FROM {_TABLE} {where} GROUP BY contract, rule ORDER BY rows DESC",
        {"contract": contract} if contract else None,
    )
    return [
        Held(
            contract=_text(row["contract"]),
            rule=_text(row["rule"]),
            reason=_text(row["reason"]),
            rows=row["rows"],
            first=row["first"],
            last=row["last"],
            sources=tuple(sorted(_text(source) for source in row["sources"])),
            example=_text(row["example"])[:500],
        )
        for row in found.to_pylist()
    ]


async def replay(settings: Settings, contract: str, rule: str) -> int:
    """Send the rows of `contract` that broke `rule` through the log again and take them out of quarantine.

    Returns how many. Those that still break a rule come back under it. Cut off, it can be begun again: rows sent twice
    are stored once. Raises WarehouseError, BusError.
    """
    warehouse = AsyncWarehouse(settings.warehouse_url)
    client = await bus.connect(settings, "replay", within=10.0)
    js = client.jetstream(timeout=10.0)
    given = {"contract": contract, "rule": rule}
    rows = 0
    try:
        newest = (
            await warehouse.query(
                f"SELECT toUnixTimestamp64Milli(max(_arrived_at)) AS newest FROM {_TABLE} "
                "WHERE contract = {contract:String} AND rule = {rule:String}",
                given,
            )
        )["newest"][0].as_py()
        # What comes back while we are at it has arrived later, and stays.
        where = (
            "contract = {contract:String} AND rule = {rule:String} "
            f"AND _arrived_at <= fromUnixTimestamp64Milli(toInt64({int(newest)}), 'UTC')"
        )
        found = await warehouse.query(
            f"SELECT raw, toString(content_type) AS kind, toString(_source) AS source FROM {_TABLE} WHERE {where}",
            given,
        )
        triples = zip(*(found.column(name).to_pylist() for name in ("raw", "kind", "source")), strict=True)
        for kind, payload, count in _messages(contract, triples):
            # The same rows may come back and be sent again: only this very attempt is one message.
            id_ = hashlib.sha256(b"%d:%b" % (int(newest), payload)).hexdigest()
            headers = {bus.CONTENT_TYPE: kind.media.type, bus.MESSAGE_ID: id_}
            if count:
                headers[bus.ROWS] = str(count)
            if kind.media.mapping:
                headers[bus.MAPPING] = kind.media.mapping
            await js.publish(bus.ingest_subject(kind.contract, kind.source or "replay"), payload, headers=headers)
            rows += count or 1
        await warehouse.command(f"DELETE FROM {_TABLE} WHERE {where}", given)
    except NatsError as error:
        raise bus.BusError(f"after {rows} rows the log did not answer: {error!r}; begin again") from error
    finally:
        await warehouse.close()
        await client.close()
    return rows


def _messages(contract: str, rows: Iterable[tuple[object, object, object]]) -> Iterator[tuple[_Kind, bytes, int]]:
    """Yield messages of rows that belong together: (kind, payload, number of rows; 0 for a body as it came)."""
    waiting: dict[_Kind, list[bytes]] = {}
    sizes: dict[_Kind, int] = {}
    for raw, content_type, source in rows:
        data = raw if isinstance(raw, bytes) else str(raw).encode()
        kind = _Kind(contract, _text(source), parse_media(_text(content_type)))
        if kind.media.type == bus.ARROW or (kind.media.type == bus.NDJSON and b"\n" in data):
            yield kind, data, 0
            continue
        lines = waiting.setdefault(kind, [kind.media.header] if kind.media.header else [])
        if sizes.get(kind, 0) + len(data) > MAX_MESSAGE:
            yield _joined(kind, lines)
            waiting[kind] = lines = [kind.media.header] if kind.media.header else []
            sizes[kind] = 0
        lines.append(data)
        sizes[kind] = sizes.get(kind, 0) + len(data) + 1
    for kind, lines in waiting.items():
        yield _joined(kind, lines)


def _joined(kind: _Kind, lines: list[bytes]) -> tuple[_Kind, bytes, int]:
    return kind, b"\n".join(lines), len(lines) - bool(kind.media.header)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
