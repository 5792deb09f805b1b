"""What lies around every answer of the IOC: security headers, and compression of JSON."""

from __future__ import annotations

from typing import Final, TypeVar

from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

A = TypeVar("A", bound=Starlette)

COMPRESS_FROM: Final = 1000
SECURITY_HEADERS: Final = (
    (
        b"content-security-policy",
        # MapLibre draws on blobs, and UI libraries set styles; scripts and connections are ours alone.
        (
            b"default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
            b"worker-src 'self' blob:; connect-src 'self'; font-src 'self'; object-src 'none'; base-uri 'none'; "
            b"form-action 'self'; frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=()"),
)


class SecurityHeaders:
    """ASGI middleware that puts SECURITY_HEADERS on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, adding the headers to what is sent."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *SECURITY_HEADERS]
            await send(message)

        await self.app(scope, receive, sending)


class CompressedAnswers(GZipMiddleware):
    """Compresses the API's JSON; tiles, feed and built files bring their own compression."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Compress or pass on by path."""
        path = scope.get("path", "")
        own = path.startswith(("/v1/feed", "/v1/tiles", "/v1/map")) or not path.startswith(("/v1/", "/openapi.json"))
        await (self.app if own else super().__call__)(scope, receive, send)


def wrapped(app: A) -> A:
    """Return `app` with both around it."""
    app.add_middleware(CompressedAnswers, minimum_size=COMPRESS_FROM, compresslevel=5)
    app.add_middleware(SecurityHeaders)
    return app
