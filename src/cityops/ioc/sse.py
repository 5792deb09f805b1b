"""GET /v1/feed: the change feed as server-sent events, one stream a browser tab; plain ASGI."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from cityops.ioc.feed import Feed, FullError, Subscription, UnknownTopicError
from cityops.ioc.problems import problem

MAX_TOPICS = 64


class FeedEndpoint:
    """ASGI application of the feed."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream the topics named in `topics=a,b` until either side leaves."""
        request = Request(scope, receive)
        feed = self._feed
        names = [name for name in request.query_params.get("topics", "").split(",") if name]
        if not names or len(names) > MAX_TOPICS:
            refused = problem(400, f"topics=a,b names 1 to {MAX_TOPICS} topics", topics=sorted(feed.topics))
            return await refused(scope, receive, send)
        last = request.headers.get("last-event-id", "") or request.query_params.get("last_event_id", "")
        gzip = "gzip" in request.headers.get("accept-encoding", "")
        try:
            subscription = feed.open(names, last, gzip=gzip)
        except UnknownTopicError as error:
            refused = problem(404, f"no such topic: {', '.join(error.args[0])}", topics=sorted(feed.topics))
            return await refused(scope, receive, send)
        except FullError as error:
            refused = problem(503, f"{error}; try again later", headers={"Retry-After": "10"})
            return await refused(scope, receive, send)
        await _stream(subscription, receive, send)
        return None


async def _stream(subscription: Subscription, receive: Receive, send: Send) -> None:
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"vary", b"accept-encoding"),
        (b"x-accel-buffering", b"no"),
    ]
    if subscription.gzip:
        headers.append((b"content-encoding", b"gzip"))
    gone = asyncio.create_task(_disconnected(receive))
    gone.add_done_callback(lambda _: subscription.leave())
    try:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while (chunk := await subscription.read()) is not None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if not gone.done():
            await send({"type": "http.response.body", "body": subscription.end(), "more_body": False})
    finally:
        subscription.leave()
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
