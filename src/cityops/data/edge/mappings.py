"""Mappings by id, as messages name them: those put into the bucket `mappings`, else those that come with CityOps."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from nats.js.errors import KeyNotFoundError
from nats.js.errors import NotFoundError as BucketNotFoundError

from cityops.data.contract import Contracts
from cityops.data.edge.mapping import MappingError, SourceMapping, parse_mapping, shipped_mappings
from cityops.technology.bus import MAPPINGS_BUCKET

if TYPE_CHECKING:
    from nats.aio.client import Client

LOOK_AGAIN_SECONDS = 10.0
_MOST_KEPT = 1_000


class Mappings:
    """A copy of the mappings in use, looked after every few seconds; a mapping that cannot be used is an error kept."""

    def __init__(self, bus: Client, contracts: Contracts) -> None:
        self._js = bus.jetstream()
        self._contracts = contracts
        self._kept: dict[str, tuple[float, str, SourceMapping | MappingError]] = {}

    async def learn(self, ids: Iterable[str]) -> None:
        """Have the mappings `ids` at hand for `find`. Raises nats.errors.Error when the bus does not answer."""
        now = time.monotonic()
        ids = set(ids)
        if len(self._kept) + len(ids) > _MOST_KEPT:  # ids come from strangers
            self._kept = {id_: kept for id_, kept in self._kept.items() if id_ in ids}
        for id_ in ids:
            kept = self._kept.get(id_)
            if kept and now - kept[0] < LOOK_AGAIN_SECONDS:
                continue
            text = await self._text(id_)
            if kept and kept[1] == text:
                self._kept[id_] = (now, *kept[1:])
                continue
            self._kept[id_] = (now, text, self._read(id_, text))

    def find(self, id_: str, contract: str) -> SourceMapping:
        """Return the mapping `id_`, learnt before. Raises MappingError, also when it is for another contract."""
        found = self._kept[id_][2]
        if isinstance(found, MappingError):
            raise found
        if found.contract != contract:
            raise MappingError(f"mapping {id_} is for {found.contract}, not for {contract}")
        return found

    async def _text(self, id_: str) -> str:
        if not _is_key(id_):
            return ""
        try:
            bucket = await self._js.key_value(MAPPINGS_BUCKET)
            return ((await bucket.get(id_)).value or b"").decode("utf-8", "replace")
        except (KeyNotFoundError, BucketNotFoundError):
            return ""

    def _read(self, id_: str, text: str) -> SourceMapping | MappingError:
        try:
            if text:
                return parse_mapping(text, Path(f"{id_}.yaml"), self._contracts)
            shipped = shipped_mappings()
            if id_ in shipped:
                return parse_mapping(shipped[id_].read_text("utf-8"), shipped[id_], self._contracts)
            return MappingError(f"no mapping {id_!r}; known beside those loaded: {', '.join(shipped)}")
        except MappingError as error:
            return error


def _is_key(id_: str) -> bool:
    """Return whether `id_` can name a mapping: never a path, never a pattern."""
    return 0 < len(id_) <= 128 and id_.replace("-", "").replace("_", "").isalnum() and id_.isascii()
