"""A request of ClickHouse's HTTP protocol: what the URL, the headers and a form say."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from cityops.data.warehouse.errors import BAD_ARGUMENTS, NOT_IMPLEMENTED, EngineError

Headers = dict[str, str]

# URL parameters that are not query settings: fields of Request, flags, and those without effect here.
_TEXTS = {"database": "database", "default_format": "format", "query_id": "query_id", "user": "user"}
_FLAGS = {"session_check": "session_check", "close_session": "close_session", "wait_end_of_query": "wait_end"}
_UNUSED = {"quota_key", "stacktrace", "role", "buffer_size", "client_protocol_version", "http_method"}
_BLOCK_COMPRESSION = (
    "{name}=1 (ClickHouse's own block compression) is not served here: use Content-Encoding/Accept-Encoding "
    "with gzip, deflate, lz4 or zstd."
)
# Settings of ClickHouse's HTTP server itself: read here, meaningless to the engine.
_OF_SERVER = {
    "enable_http_compression", "send_progress_in_http_headers", "http_headers_progress_interval_ms",
    "cancel_http_readonly_queries_on_client_close", "http_zlib_compression_level", "add_http_cors_header",
    "http_response_buffer_size", "http_wait_end_of_query", "http_write_exception_in_output_format",
    "http_max_multipart_form_data_size", "http_native_compression_disable_checksumming_on_decompress",
}  # fmt: skip
_MAX_SESSION_S = 3600


@dataclass(frozen=True)
class ExternalTable:
    """Rows sent beside a query, visible to it as the temporary table `name`."""

    name: str
    structure: str
    format: str
    data: bytes


@dataclass
class Request:
    """What was asked, before the body is read."""

    method: str
    path: str
    query: str = ""
    database: str = ""
    format: str = ""
    query_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    user: str = "default"
    password: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    session_id: str = ""
    session_timeout: float = 60.0
    session_check: bool = False
    close_session: bool = False
    wait_end: bool = False
    accept_encoding: str = ""
    content_encoding: str = ""
    boundary: bytes = b""
    external: list[ExternalTable] = field(default_factory=list)

    @property
    def reads_only(self) -> bool:
        """Whether the method forbids changes, as ClickHouse holds for GET and HEAD."""
        return self.method in {"GET", "HEAD"}


def read_head(scope: dict[str, Any]) -> Request:
    """Return the request an ASGI HTTP scope describes. Raises EngineError for what is malformed or not offered."""
    headers: Headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    request = Request(scope["method"], scope["path"])
    request.user, request.password = _credentials(headers)
    request.database = headers.get("x-clickhouse-database", "")
    request.format = headers.get("x-clickhouse-format", "")
    request.content_encoding = headers.get("content-encoding", "").strip().lower()
    kind, _, options = headers.get("content-type", "").partition(";")
    if kind.strip().lower() == "multipart/form-data":
        found = re.search(r'boundary="?([^";]+)"?', options)
        if found is None:
            raise EngineError.make(BAD_ARGUMENTS, "BAD_ARGUMENTS", "multipart/form-data without a boundary")
        request.boundary = found[1].encode("latin-1")
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, encoding="utf-8")
    apply_pairs(request, pairs)
    if _is_set(request.settings.pop("enable_http_compression", "")):
        request.accept_encoding = headers.get("accept-encoding", "")
    return request


def apply_pairs(request: Request, pairs: Iterable[tuple[str, str]]) -> None:
    """Lay URL or form parameters over `request`. Raises EngineError."""
    for name, value in pairs:
        if name.startswith("param_"):
            request.parameters[name[6:]] = value
        elif not _apply_plain(request, name, value) and (name == "enable_http_compression" or name not in _OF_SERVER):
            request.settings[name] = value


def _apply_plain(request: Request, name: str, value: str) -> bool:
    """Take a parameter that is no setting; return whether it was one."""
    if name in _TEXTS:
        setattr(request, _TEXTS[name], value or getattr(request, _TEXTS[name]))
    elif name in _FLAGS:
        setattr(request, _FLAGS[name], _is_set(value))
    elif name == "query":
        request.query += value
    elif name in {"password", "session_id"}:
        setattr(request, name, value)
    elif name == "session_timeout":
        request.session_timeout = _seconds(value)
    elif name in {"compress", "decompress"}:
        if _is_set(value):
            raise EngineError.make(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", _BLOCK_COMPRESSION.format(name=name))
    else:
        return name in _UNUSED
    return True


def _is_set(value: str) -> bool:
    return value not in {"", "0", "false"}


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1
    if not 0 < seconds <= _MAX_SESSION_S:
        raise EngineError.make(
            374, "INVALID_SESSION_TIMEOUT", f"Invalid session timeout: '{value}': 1 to {_MAX_SESSION_S} seconds"
        )
    return seconds


def _credentials(headers: Headers) -> tuple[str, str]:
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(rest, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise EngineError.make(
                516, "AUTHENTICATION_FAILED", "The Authorization header is not Basic base64."
            ) from error
        return user or "default", password
    return headers.get("x-clickhouse-user", "default"), headers.get("x-clickhouse-key", "")


def read_form(request: Request, body: bytes) -> None:
    """Take query, parameters and external tables out of a multipart body. Raises EngineError."""
    files: list[tuple[str, bytes]] = []
    pairs: list[tuple[str, str]] = []
    for part in body.split(b"--" + request.boundary)[1:]:
        head, found, data = part.partition(b"\r\n\r\n")
        if not found:
            continue  # the closing mark
        data = data.removesuffix(b"\r\n")
        disposition = head.decode("utf-8", "replace")
        name = re.search(r'[; ]name="([^"]*)"', disposition)
        if name is None:
            raise EngineError.make(BAD_ARGUMENTS, "BAD_ARGUMENTS", "a part of the form has no name")
        if "filename=" in disposition:
            files.append((name[1], data))
        else:
            pairs.append((name[1], data.decode("utf-8", "surrogateescape")))
    apply_pairs(request, pairs)
    for table, data in files:
        structure = request.settings.pop(f"{table}_structure", "")
        kinds = request.settings.pop(f"{table}_types", "")
        fmt = request.settings.pop(f"{table}_format", "TabSeparated")
        if not structure and not kinds:
            raise EngineError.make(BAD_ARGUMENTS, "BAD_ARGUMENTS", f"external table {table}: give {table}_structure")
        structure = structure or ", ".join(f"_{i} {kind.strip()}" for i, kind in enumerate(_split_types(kinds), 1))
        request.external.append(ExternalTable(table, structure, fmt, data))


def _split_types(kinds: str) -> list[str]:
    """Return `UInt8, Tuple(a Int8, b Int8)` split at its top-level commas."""
    found, depth = [""], 0
    for char in kinds:
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            found.append("")
        else:
            found[-1] += char
    return found
