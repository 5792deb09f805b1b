"""A recorded frame of the screens: `python -m cityops.ioc.replay URL FILE` takes it, CITYOPS_REPLAY=FILE shows it.

FILE is JSON lines: first the time, then the state of every topic and the answers of the API; the tiles lie beside it
as FILE with the suffix .pmtiles. Shown again, nothing moves: what two browsers draw of it can be compared.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import urlopen

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from cityops.ioc.assets import ASK_FIRST, Assets, unless_known
from cityops.ioc.feed import Feed, Held
from cityops.ioc.middleware import wrapped
from cityops.ioc.problems import problem
from cityops.ioc.screen import TILES_URL, Constant
from cityops.ioc.shapes import Check, ClockEvent, Health
from cityops.ioc.sse import FeedEndpoint
from cityops.technology.clock import SimulatedClock

FORMAT: Final = 1
ANSWERS: Final = ("/v1/city", "/v1/panels")


class RecordingError(ValueError):
    """A recording that cannot be shown; says which file and line."""


@dataclass
class Recording:
    """What was recorded: when, topics' states, answers by path (bytes and media type), and the tiles."""

    at: datetime
    tiles: Path
    topics: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Recording:
        """Return the recording in `path`. Raises RecordingError."""
        recording: Recording | None = None
        try:
            for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
                said = json.loads(line)
                if recording is None:
                    if said["format"] != FORMAT:
                        raise RecordingError(f"{path}:{number}: format {said['format']}, {FORMAT} is wanted")
                    recording = cls(datetime.fromtimestamp(said["at"] / 1000, UTC), path.with_suffix(".pmtiles"))
                elif "topic" in said:
                    recording.topics[said["topic"]] = said["data"]
                else:
                    recording.answers[said["get"]] = base64.b64decode(said["body"]), said["type"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RecordingError(f"{path}: not a recorded frame ({error!r})") from error
        if recording is None:
            raise RecordingError(f"{path}: empty")
        return recording


def replay_app(recording: Recording, version: str, assets: Assets | None = None) -> tuple[Starlette, Feed]:
    """Return the application that shows `recording`, and its feed, which is to be run."""
    feed = Feed(SimulatedClock(recording.at, 0))
    for name, data in recording.topics.items():
        held = Held()
        held.put({key: value for key, value in data.items() if key not in ("t", "full")})
        feed.add(name, held, every=1.0, whole=True)
    feed.topics.pop("clock", None)
    feed.add("clock", Constant(ClockEvent("replay")), every=1.0, whole=True)

    async def health(_: Request) -> Response:
        checks = {"recording": Check(True, f"{len(recording.topics)} topics of {recording.at.isoformat()}")}
        said = Health("ok", version, "replay", 0.0, len(feed.clients), checks)
        return Response(msgspec.json.encode(said), media_type="application/json")

    async def topic(request: Request) -> Response:
        name = request.path_params["topic"]
        if name not in feed.topics:
            return problem(404, f"no topic {name!r} in the recording", topics=sorted(feed.topics))
        return Response(feed.state(name), media_type="application/json")

    async def tiles(request: Request) -> Response:
        if not recording.tiles.is_file():
            return problem(404, f"{recording.tiles.name} is not beside the recording")
        return unless_known(
            Headers(scope=request.scope), recording.tiles, {"Cache-Control": ASK_FIRST}, "application/vnd.pmtiles"
        )

    async def answer(request: Request) -> Response:
        if request.url.path not in recording.answers:
            return problem(404, f"{request.url.path} was not recorded")
        body, media_type = recording.answers[request.url.path]
        return Response(body, media_type=media_type)

    routes = [
        Route("/v1/feed", FeedEndpoint(feed)),
        Route("/v1/health", health),
        Route("/v1/topics/{topic}", topic),
        Route(TILES_URL, tiles),
        Route("/v1/{path:path}", answer),
        Mount("/", assets or Assets()),
    ]
    return wrapped(Starlette(routes=routes)), feed


def record(address: str, path: Path) -> None:
    """Write the present frame of the IOC at `address` to `path`, and its tiles beside. Raises OSError."""
    with path.open("w", encoding="utf-8") as file:
        for line in _frame(address.rstrip("/")):
            file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
    path.with_suffix(".pmtiles").write_bytes(_get(address.rstrip("/") + TILES_URL)[0])


def _frame(address: str) -> Iterator[Mapping[str, Any]]:
    city = json.loads(_get(address + "/v1/city")[0])
    topics = {name: _get_if_there(f"{address}/v1/topics/{name}") for name in city["topics"]}
    states = {name: json.loads(found[0]) for name, found in topics.items() if found}
    yield {"format": FORMAT, "at": max(state["t"] for state in states.values())}
    for name, state in sorted(states.items()):
        yield {"topic": name, "data": state}
    pictures = [layer["image"] for layer in city["layers"] if layer["image"]]
    described = [picture.removesuffix(".png") + ".json" for picture in pictures]
    for path in (*ANSWERS, *described, *pictures):
        if found := _get_if_there(address + path):
            yield {"get": path, "type": found[1], "body": base64.b64encode(found[0]).decode()}


def _get_if_there(url: str) -> tuple[bytes, str] | None:
    """Return the answer and its media type, None for what has no state yet."""
    try:
        return _get(url)
    except HTTPError as error:
        if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
            return None
        raise


def _get(url: str) -> tuple[bytes, str]:
    with urlopen(url, timeout=30) as answer:  # noqa: S310  # the address is the operator's own
        return answer.read(), answer.headers.get_content_type()


if __name__ == "__main__":
    record(sys.argv[1], Path(sys.argv[2]))
