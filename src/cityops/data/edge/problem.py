"""What is wrong with a request, as application/problem+json (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus

import msgspec


class ProblemError(Exception):
    """A request that is refused; `retry_after` in seconds when trying again makes sense, `more` goes into the body."""

    def __init__(
        self, status: int, detail: str, *, retry_after: int | None = None, more: dict[str, object] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry_after = retry_after
        self.more = more or {}

    def body(self) -> bytes:
        """Return the JSON document."""
        title = HTTPStatus(self.status).phrase
        return msgspec.json.encode(
            {"type": "about:blank", "title": title, "status": self.status, "detail": self.detail, **self.more}
        )

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers of the answer, without its length."""
        found = [(b"content-type", b"application/problem+json")]
        if self.retry_after is not None:
            found.append((b"retry-after", str(self.retry_after).encode()))
        return found
