"""The registry of events: every subject of the bus with its payload, who sends it and who hears it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kept = Literal["log", "moment", "key-value"]


class RegistryError(ValueError):
    """An event that nobody sends, that nobody hears, or that is declared twice."""


@dataclass(frozen=True)
class Event:
    """One kind of message. `producers` and `consumers` name modules or, where no module of ours sends it, a device."""

    name: str
    subject: str
    kept: Kept
    payload: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]


EVENTS: tuple[Event, ...] = (
    Event(
        name="observations over HTTP, from a file, or back from quarantine",
        subject="ingest.{contract}.{source}",
        kept="log",
        payload="raw body as it came; headers Content-Type, Rows, Mapping, Nats-Msg-Id",
        producers=("data.edge.http", "data.edge.files", "data.pipeline.replay"),
        consumers=("data.pipeline.inlet",),
    ),
    Event(
        name="observation over MQTT",
        subject="$MQTT.msgs.cityops.{contract}.{source}.{mapping}",
        kept="log",
        payload="raw body as the device published it; the level {mapping} is optional",
        producers=("devices", "twin.simulation.gateway"),
        consumers=("data.pipeline.inlet",),
    ),
    Event(
        name="newest rows of a contract",
        subject="live.{contract}",
        kept="moment",
        payload="Arrow IPC stream: the newest row of each entity of one micro-batch",
        producers=("data.pipeline.worker",),
        consumers=("ioc.engines", "data.live.feed"),
    ),
    Event(
        name="telemetry of a role",
        subject="telemetry.{role}",
        kept="moment",
        payload="JSON each second: {role, pid, t, ready, counters, gauges}",
        producers=("technology.telemetry",),
        consumers=("runtime.supervisor", "ioc.engines"),
    ),
    Event(
        name="progress of the pipeline",
        subject="$KV.ledger.{stream}",
        kept="key-value",
        payload="JSON: {epoch, done: seq, done_ns: when it arrived, doing: {first, last} | null}",
        producers=("data.pipeline.ledger",),
        consumers=("data.pipeline.ledger",),
    ),
    Event(
        name="mapping of a source",
        subject="$KV.mappings.{mapping}",
        kept="key-value",
        payload="YAML text of the mapping file",
        producers=("data.edge.files",),
        consumers=("data.edge.mappings",),
    ),
)


def check(events: tuple[Event, ...] = EVENTS) -> None:
    """Raise RegistryError for an event without a producer or a consumer, or with the subject of another."""
    seen: dict[str, str] = {}
    for event in events:
        if not event.producers or not event.consumers:
            missing = "producer" if not event.producers else "consumer"
            raise RegistryError(f"event {event.name!r} ({event.subject}) has no {missing}")
        if event.subject in seen:
            raise RegistryError(f"events {seen[event.subject]!r} and {event.name!r} share the subject {event.subject}")
        seen[event.subject] = event.name


def render(events: tuple[Event, ...] = EVENTS) -> str:
    """Return the page docs/flow.md: who says what to whom. Raises RegistryError as `check` does."""
    check(events)
    lines = [
        "# The flow: every event of the bus",
        "",
        "Made by `cityops docs flow` from `cityops/technology/events.py`; change that, not this page.",
        "`log` is kept on disk until its consumers have acknowledged it, `key-value` until it is replaced, `moment` is",
        "heard by who listens now. How the stages follow one another is in `src/cityops/flow.py`.",
        "",
        "| event | subject | kept | from | to | payload |",
        "|---|---|---|---|---|---|",
    ]
    for event in events:
        ends = (", ".join(f"`{module}`" for module in side) for side in (event.producers, event.consumers))
        row = (event.name, f"`{event.subject}`", event.kept, *ends, event.payload)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    lines += ["", "```mermaid", "flowchart LR"]
    for number, event in enumerate(events):
        lines.append(f'  e{number}(["{event.subject}"])')
        lines += [f"  {_node(module)} --> e{number}" for module in event.producers]
        lines += [f"  e{number} --> {_node(module)}" for module in event.consumers]
    return "\n".join([*lines, "```", ""])


def _node(module: str) -> str:
    return f"{module.replace('.', '_')}[{module}]"
