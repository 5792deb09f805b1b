"""Media types as quarantine keeps them: what is needed, beside the bytes, to read a row again."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote, unquote

from cityops.technology.bus import CSV


class Media(NamedTuple):
    """A media type with the parameters we give it: the CSV header line and the mapping, "" where there is none."""

    type: str
    header: bytes = b""
    mapping: str = ""


def csv_type(header: bytes) -> str:
    """Return the media type of CSV records under `header`."""
    return f"{CSV}; header={quote(header, safe='')}"


def with_mapping(content_type: str, mapping: str | None) -> str:
    """Return `content_type` with the mapping that was applied."""
    return f"{content_type}; mapping={mapping}" if mapping else content_type


def parse_media(text: str) -> Media:
    """Return the parts of a media type as `csv_type` and `with_mapping` make them; other parameters are ignored."""
    kind, *parameters = (part.strip() for part in text.split(";"))
    given = dict(parameter.split("=", 1) for parameter in parameters if "=" in parameter)
    header = unquote(given.get("header", ""), "latin-1").encode("latin-1")
    return Media(kind.lower(), header, given.get("mapping", ""))
