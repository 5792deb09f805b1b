"""The API's description with the feed in it: every topic's event has a schema, so that clients are generated whole."""

from __future__ import annotations

import json
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from cityops.ioc.screen import Screen

_REFS: Final = "#/components/schemas/{model}"
_STAMP: Final = {
    "t": {"type": "integer", "description": "epoch ms at which the event was made"},
    "full": {"type": "boolean", "description": "true: replaces the topic's state; false: changes it"},
}


def install(app: FastAPI, screen: Screen) -> None:
    """Make `app.openapi()` describe the feed of `screen` too."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _describe(app, screen)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way to extend the description


def text(app: FastAPI) -> str:
    """Return the description as JSON, keys in a stable order."""
    return json.dumps(app.openapi(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _describe(app: FastAPI, screen: Screen) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    shapes = screen.shapes()
    adapters: dict[type, TypeAdapter[Any]] = {shape: TypeAdapter(shape) for shape in dict.fromkeys(shapes.values())}
    references, definitions = TypeAdapter.json_schemas(
        [(shape, "serialization", adapter) for shape, adapter in adapters.items()], ref_template=_REFS
    )
    schemas |= definitions.get("$defs", {})
    events = {}
    for topic, shape in sorted(shapes.items()):
        stamped = {"type": "object", "properties": _STAMP, "required": ["t", "full"]}
        events[topic] = {"allOf": [stamped, references[shape, "serialization"]]}
    schemas["FeedTopics"] = {
        "type": "object",
        "description": "Shape of the data of every topic's events on GET /v1/feed.",
        "properties": events,
        "required": sorted(events),
    }
    document["paths"]["/v1/feed"] = {"get": _feed_operation(sorted(shapes))}
    return document


def _feed_operation(topics: list[str]) -> dict[str, Any]:
    return {
        "operationId": "feed",
        "summary": "The change feed: server-sent events, one stream a tab",
        "description": "Each event is named after its topic; its data is that topic's member of FeedTopics. A client "
        "that comes back with Last-Event-ID gets what it missed, or every topic anew (full).",
        "parameters": [
            {
                "name": "topics",
                "in": "query",
                "required": True,
                "description": "names of topics, comma between them: " + ", ".join(topics),
                "schema": {"type": "string"},
            },
            {"name": "Last-Event-ID", "in": "header", "required": False, "schema": {"type": "string"}},
        ],
        "responses": {
            "200": {
                "description": "the stream",
                "content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/FeedTopics"}}},
            },
            "400": _problem("no topics named"),
            "404": _problem("an unknown topic; the answer lists the known"),
            "503": _problem("too many screens"),
        },
    }


def _problem(description: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content}
