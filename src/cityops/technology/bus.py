"""The bus: names of streams, consumers and buckets, and the idempotent calls that make them (NATS JetStream)."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import timedelta
from secrets import token_hex
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    KeyValueConfig,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import APIError, BadRequestError, NotFoundError

from cityops.technology.telemetry import Log

if TYPE_CHECKING:
    from nats.js import JetStreamContext
    from nats.js.kv import KeyValue

    from cityops.settings import Settings

INGEST_STREAM = "INGEST"
MQTT_STREAM = "$MQTT_msgs"  # the gateway's own; it alone is what PUBACK waits for
MQTT_TOPIC = "cityops"
MQTT_FILTER = f"$MQTT.msgs.{MQTT_TOPIC}.>"
PIPELINE = "pipeline"  # durable consumer on both streams
LEDGER_BUCKET = "ledger"
MAPPINGS_BUCKET = "mappings"

CONTENT_TYPE = "Content-Type"
ROWS = "Rows"
MAPPING = "Mapping"
MESSAGE_ID = "Nats-Msg-Id"
NDJSON = "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"
CSV = "text/csv"

MAX_PAYLOAD = 8 * 1024 * 1024
DUPLICATE_WINDOW = timedelta(minutes=2)
# Order is kept because nothing is redelivered behind the worker's back: only reset_consumer brings messages again.
ACK_WAIT = timedelta(hours=24)
MAX_ACK_PENDING = 2_000_000

# JetStream's error codes for "there is no room": insufficient resources, storage exceeded, maximum bytes, messages.
_NO_ROOM = frozenset({10023, 10047, 10054, 10077})
_MQTT_CONNECT = b"\x00\x04MQTT\x04\x02\x00\x3c"  # protocol 3.1.1, clean session, keep-alive 60 s; client id follows
_NAME = re.compile(r"^[A-Za-z0-9_-]+$")

log = Log(__name__)


class BusError(RuntimeError):
    """The bus cannot do what was asked; says what to look at."""


@dataclass(frozen=True)
class Origin:
    """Where a message of the log came from, read off its subject."""

    contract: str
    source: str
    mapping: str | None = None


def ingest_subject(contract: str, source: str) -> str:
    """Return the subject of a message of `contract` from `source`; what a subject cannot hold is escaped (%XX)."""
    return f"ingest.{_token(contract)}.{_token(source)}"


def mqtt_topic(contract: str, source: str, mapping: str | None = None) -> str:
    """Return the MQTT topic on which a device publishes. Raises ValueError for a level MQTT cannot carry."""
    levels = [MQTT_TOPIC, contract, source, *([mapping] if mapping else [])]
    for level in levels:
        if not level or set(level) & set("/+# \0"):
            raise ValueError(f"{level!r} cannot be a level of an MQTT topic")
    return "/".join(levels)


def live_subject(contract: str) -> str:
    """Return the subject on which the newest rows of `contract` are published."""
    return f"live.{contract}"


def origin_of(subject: str) -> Origin:
    """Return the origin that `subject` (of INGEST or of the MQTT stream) names. Raises BusError for another subject."""
    match subject.split("."):
        case ["ingest", contract, source]:
            return Origin(unquote(contract), unquote(source))
        case ["$MQTT", "msgs", root, contract, source, *rest] if root == MQTT_TOPIC and len(rest) <= 1:
            # The gateway writes a dot inside a topic level as "//".
            dotted = [level.replace("//", ".") for level in (contract, source, *rest)]
            return Origin(dotted[0], dotted[1], dotted[2] if rest else None)
    raise BusError(f"subject {subject!r} is not ingest.<contract>.<source> nor cityops/<contract>/<source>[/<mapping>]")


async def connect(settings: Settings, role: str, *, within: float | None = 30.0) -> Client:
    """Return a connection that reconnects for ever. Raises BusError when none comes about `within` seconds."""

    async def on_error(error: Exception) -> None:
        log.debug("bus error", error=repr(error))

    async def on_disconnected() -> None:
        if not client.is_closed:
            log.warning("bus disconnected", url=settings.nats_url)

    async def on_reconnected() -> None:
        log.info("bus reconnected", url=settings.nats_url)

    client = Client()
    try:
        async with asyncio.timeout(within):
            await client.connect(
                settings.nats_url,
                name=f"cityops {role}",
                error_cb=on_error,
                disconnected_cb=on_disconnected,
                reconnected_cb=on_reconnected,
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.2,  # type: ignore[arg-type]  # annotated int, slept as float
                connect_timeout=5,
                pending_size=4 * MAX_PAYLOAD,
            )
            return client
    except TimeoutError as error:
        raise BusError(f"{settings.nats_url}: no answer within {within} s; is `cityops up` running?") from error


async def ensure_ingest(js: JetStreamContext, *, replicas: int = 1) -> None:
    """Make the stream INGEST and, before anything can be accepted, its durable consumer."""
    config = StreamConfig(
        name=INGEST_STREAM,
        subjects=["ingest.>"],
        retention=RetentionPolicy.INTEREST,
        discard=DiscardPolicy.NEW,
        storage=StorageType.FILE,
        duplicate_window=DUPLICATE_WINDOW.total_seconds(),
        num_replicas=replicas,
    )
    try:
        await js.stream_info(INGEST_STREAM)
    except NotFoundError:
        try:
            await js.add_stream(config)
        except BadRequestError as error:
            if error.err_code != 10058:  # another process made it between our two calls
                raise
    await _ensure_consumer(js, INGEST_STREAM, None)


async def ensure_mqtt(js: JetStreamContext, settings: Settings) -> None:
    """Make the gateway's stream (by opening one MQTT session) and our durable consumer on it. Raises BusError."""
    try:
        await js.stream_info(MQTT_STREAM)
    except NotFoundError:
        await open_mqtt_session(settings.mqtt_host, settings.mqtt_port)
    await _ensure_consumer(js, MQTT_STREAM, MQTT_FILTER)


async def ensure_buckets(js: JetStreamContext) -> None:
    """Make the key-value buckets `ledger` and `mappings`."""
    for bucket in (LEDGER_BUCKET, MAPPINGS_BUCKET):
        await ensure_bucket(js, bucket)


async def ensure_bucket(js: JetStreamContext, name: str, *, history: int = 1) -> KeyValue:
    """Return the key-value bucket `name`, made when it is not there."""
    if not _NAME.match(name):
        raise ValueError(f"bucket {name!r}: letters, digits, - and _ only")
    return await js.create_key_value(KeyValueConfig(bucket=name, history=history))


async def ensure_all(client: Client, settings: Settings) -> None:
    """Make every stream, consumer and bucket; safe to call from any process at any time."""
    js = client.jetstream()
    await ensure_ingest(js)
    await ensure_mqtt(js, settings)
    await ensure_buckets(js)


async def prepare(settings: Settings) -> None:
    """Connect, `ensure_all`, disconnect. Raises BusError."""
    client = await connect(settings, "prepare")
    try:
        await ensure_all(client, settings)
    finally:
        await client.close()


async def reset_consumer(js: JetStreamContext, stream: str, consumer: str = PIPELINE) -> int:
    """Bring unacknowledged messages again, in order; return the stream sequence from which delivery resumes.

    Uses $JS.API.CONSUMER.RESET.<stream>.<consumer> (NATS >= 2.14; verified on 2.15.1): everything above the ack floor
    comes once more with num_delivered 1 and consumer sequences from 1. The consumer must exist: the server does not
    answer for one that does not. Raises BusError.
    """
    try:
        return int((await js.reset_consumer(stream, consumer)).reset_seq)
    except NatsError as error:
        raise BusError(f"consumer {consumer} of {stream} was not reset: {error!r}") from error


def log_is_full(error: BaseException) -> bool:
    """Return whether a publish failed because the log has no room (the edge answers 507)."""
    return isinstance(error, APIError) and error.err_code in _NO_ROOM


async def open_mqtt_session(host: str, port: int, *, within: float = 5.0) -> None:
    """Open and close one MQTT 3.1.1 session, on which the gateway makes its streams. Raises BusError."""
    client_id = f"cityops-{token_hex(8)}"  # a second session of one name would end the first
    payload = len(client_id).to_bytes(2, "big") + client_id.encode()
    body = _MQTT_CONNECT + payload
    try:
        async with asyncio.timeout(within):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(bytes([0x10, len(body)]) + body)
            answer = await reader.readexactly(4)
            writer.write(b"\xe0\x00")
            await writer.drain()
            writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise BusError(f"the MQTT gateway at {host}:{port} opened no session: {error!r}") from error
    if answer[3] != 0:
        raise BusError(f"the MQTT gateway at {host}:{port} refused the session with code {answer[3]}")


async def _ensure_consumer(js: JetStreamContext, stream: str, subject: str | None) -> None:
    await js.add_consumer(
        stream,
        ConsumerConfig(
            durable_name=PIPELINE,
            ack_policy=AckPolicy.ALL,
            ack_wait=ACK_WAIT.total_seconds(),
            max_ack_pending=MAX_ACK_PENDING,
            filter_subject=subject,
        ),
    )


def _token(text: str) -> str:
    if not text:
        raise ValueError("a level of a subject cannot be empty")
    return quote(text, safe="").replace(".", "%2E")
