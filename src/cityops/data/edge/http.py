"""The HTTP edge: `POST /v1/ingest/{contract}`; a 202 means that the log has every observation on disk."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import msgspec
import uvicorn
from nats.errors import Error as NatsError
from nats.js.errors import APIError
from nats.js.errors import Error as JetStreamError

from cityops.data.contract import Contracts, UnknownContractError
from cityops.data.edge.body import MAX_BODY, Part, parts_of, read_body
from cityops.data.edge.mapping import MappingError
from cityops.data.edge.mappings import Mappings
from cityops.data.edge.problem import ProblemError
from cityops.settings import Settings
from cityops.technology import bus, disk
from cityops.technology.telemetry import Log, Telemetry

if TYPE_CHECKING:
    from nats.aio.client import Client

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

PREFIX = "/v1/ingest/"
MAX_IN_FLIGHT = 16 * MAX_BODY
"""Most bytes of bodies held at once; beyond, clients are asked to come back."""

_PUBLISH_SECONDS = 5.0
_DISK_SECONDS = 1.0
_INLINE_BYTES = 256 * 1024  # a larger body is looked through on a thread, so that others are not kept waiting
_DEFAULT_SOURCE = "http"
_JSON = [(b"content-type", b"application/json")]

log = Log(__name__)


class Edge:
    """The ASGI application: checks the form of a body, writes it to the log, and only then answers 202."""

    def __init__(self, client: Client, contracts: Contracts, settings: Settings, telemetry: Telemetry) -> None:
        self._bus = client
        self._js = client.jetstream(timeout=_PUBLISH_SECONDS)
        self._contracts = contracts
        self._mappings = Mappings(client, contracts)
        self._settings = settings
        self._telemetry = telemetry
        self._in_flight = 0
        self._room = 0
        self._looked = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            status, body = await self._answer(scope, receive)
            headers = _JSON
        except ProblemError as problem:
            self._telemetry.count("refused")
            status, body, headers = problem.status, problem.body(), problem.headers()
        except Exception:  # the client learns that it failed, the log why
            log.exception("request failed", path=scope["path"])
            failed = ProblemError(500, "the edge failed to answer; its log says why", retry_after=5)
            status, body, headers = 500, failed.body(), failed.headers()
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        path: str = scope["path"]
        if path.startswith(PREFIX):
            if scope["method"] != "POST":
                raise ProblemError(405, f"{scope['method']} is not for {path}: POST observations")
            return await self._ingest(unquote(path[len(PREFIX) :]), scope, receive)
        if path == "/v1/health":
            return self._health()
        raise ProblemError(404, f"nothing is at {path}; observations go to {PREFIX}{{contract}}")

    async def _ingest(self, name: str, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        try:
            contract = self._contracts[name]
        except UnknownContractError as error:
            raise ProblemError(404, str(error), more={"contracts": list(error.known)}) from error
        source, mapping = await self._origin(scope["query_string"], contract.name)
        headers = dict(scope["headers"])
        self._check_room()
        with self._held(headers):
            body = await read_body(receive, headers)
            kind = headers.get(b"content-type", b"application/json").decode("latin-1")
            if len(body) > _INLINE_BYTES:
                parts = await asyncio.to_thread(parts_of, body, kind)
            else:
                parts = parts_of(body, kind)
            key = headers.get(b"idempotency-key", b"")
            seq, repeated = await self._publish(contract.name, source, mapping, parts, key)
        rows = sum(part.rows for part in parts)
        self._telemetry.count("requests")
        self._telemetry.count("rows", rows)
        answer: dict[str, object] = {"accepted": rows, "contract": contract.name, "seq": seq}
        if repeated:
            answer["repeated"] = True
        return 202, msgspec.json.encode(answer)

    async def _origin(self, query: bytes, contract: str) -> tuple[str, str]:
        """Return source and mapping ("" for none) of the query string. Raises ProblemError 422."""
        if not query:
            return _DEFAULT_SOURCE, ""
        given = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        unknown = set(given) - {"source", "mapping"}
        if unknown:
            raise ProblemError(422, f"unknown parameter {', '.join(sorted(unknown))}; there are source and mapping")
        source, mapping = given.get("source") or _DEFAULT_SOURCE, given.get("mapping", "")
        if len(source) > 128 or not source.isprintable():
            raise ProblemError(422, "source: at most 128 printable characters")
        if mapping:
            try:
                await self._mappings.learn((mapping,))
                self._mappings.find(mapping, contract)
            except MappingError as error:
                raise ProblemError(422, f"mapping: {error}") from error
            except (NatsError, JetStreamError, TimeoutError) as error:
                raise _unavailable(error) from error
        return source, mapping

    def _check_room(self) -> None:
        now = time.monotonic()
        if now - self._looked >= _DISK_SECONDS:
            self._room, self._looked = disk.free_reserve(self._settings.data_dir), now
        if self._room < 0:
            raise ProblemError(507, "the disk is full: nothing new is taken until there is room", retry_after=30)

    @contextlib.contextmanager
    def _held(self, headers: dict[bytes, bytes]) -> Iterator[None]:
        """Count the body as held in memory while it is worked on. Raises ProblemError 503 when too much is."""
        length = headers.get(b"content-length", b"")
        size = min(int(length), MAX_BODY) if length.isdigit() else MAX_BODY
        if self._in_flight + size > MAX_IN_FLIGHT:
            raise ProblemError(503, "too many requests are being worked on", retry_after=1)
        self._in_flight += size
        try:
            yield
        finally:
            self._in_flight -= size

    async def _publish(
        self, contract: str, source: str, mapping: str, parts: list[Part], key: bytes
    ) -> tuple[int, bool]:
        """Return the sequence of the last message and whether all were sent before. Raises ProblemError 503, 507."""
        if not self._bus.is_connected:
            raise _unavailable("no connection")
        subject = bus.ingest_subject(contract, source)
        digest = hashlib.sha256(b"\0".join((contract.encode(), source.encode(), key))).hexdigest() if key else ""
        seq, repeated = 0, True
        for number, part in enumerate(parts):
            headers = {bus.CONTENT_TYPE: part.content_type, bus.ROWS: str(part.rows)}
            if mapping:
                headers[bus.MAPPING] = mapping
            if digest:
                headers[bus.MESSAGE_ID] = f"{digest}:{number}"
            try:
                ack = await self._js.publish(subject, part.payload, headers=headers)
            except (NatsError, JetStreamError, TimeoutError, OSError) as error:
                self._telemetry.count("publish_failures")
                if bus.log_is_full(error):
                    raise ProblemError(507, "the log is full: nothing new is taken", retry_after=30) from error
                if isinstance(error, APIError):
                    log.exception("the log refused a message")
                raise _unavailable(error) from error
            seq, repeated = ack.seq, repeated and bool(ack.duplicate)
        return seq, repeated

    def _health(self) -> tuple[int, bytes]:
        room = disk.free_reserve(self._settings.data_dir)
        checks = {"log": self._bus.is_connected, "disk": room >= 0}
        good = all(checks.values())
        document = {"status": "ok" if good else "unwell", "checks": checks, "room_bytes": max(0, room)}
        return (200 if good else 503), msgspec.json.encode(document)


def _unavailable(reason: object) -> ProblemError:
    return ProblemError(503, f"the log does not answer ({reason!r}): try again; nothing is stored twice", retry_after=1)


class _Server(uvicorn.Server):
    """A server whose signals are the role runner's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


async def serve(settings: Settings, contracts: Contracts, telemetry: Telemetry) -> None:
    """Serve the edge until cancelled, then let requests that are under way finish."""
    client = await bus.connect(settings, "edge", within=None)
    await _log_is_there(client)
    edge = Edge(client, contracts, settings, telemetry)
    config = uvicorn.Config(
        edge,
        host=settings.edge_host,
        port=settings.edge_port,
        http="httptools",
        loop="none",
        interface="asgi3",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started and not serving.done():  # noqa: ASYNC110  # uvicorn tells no other way
            await asyncio.sleep(0.01)
        telemetry.ready()
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await asyncio.wait({serving})
        await client.close()


async def _log_is_there(client: Client) -> None:
    """Make the stream, with its consumer, before anything is accepted."""
    while True:
        try:
            await bus.ensure_ingest(client.jetstream())
        except (NatsError, JetStreamError, TimeoutError, OSError) as error:
            log.warning("the log is not ready", error=repr(error))
            await asyncio.sleep(0.5)
        else:
            return
