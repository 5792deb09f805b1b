"""Errors of the HTTP API as problem+json (RFC 9457): what was wrong, where, and what would be right."""

from __future__ import annotations

import http
from collections.abc import Mapping

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from cityops.data.warehouse.client import WarehouseError
from cityops.technology.telemetry import Log

log = Log(__name__)
MEDIA_TYPE = "application/problem+json"


class ProblemError(HTTPException):
    """A refusal with members beyond `detail`, such as the list of what exists."""

    def __init__(self, status: int, detail: str, **members: object) -> None:
        super().__init__(status, detail)
        self.members = members


def problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None, **members: object) -> Response:
    """Return a problem+json response with `members` beside title, status and detail."""
    said = {"type": "about:blank", "title": http.HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(msgspec.json.encode(said | members), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem; an unexpected one is logged and told without its trace."""

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  # registered for this class alone
        members = error.members if isinstance(error, ProblemError) else {}
        return problem(error.status_code, str(error.detail), headers=error.headers, **members)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for this class alone
        errors = [{"where": ".".join(map(str, e["loc"])), "what": e["msg"]} for e in error.errors()]
        return problem(422, "; ".join(f"{e['where']}: {e['what']}" for e in errors), errors=errors)

    async def failed(request: Request, error: Exception) -> Response:
        log.error("request failed", path=request.url.path, error=repr(error))
        return problem(500, "the server failed to answer; its log says why")

    async def away(_: Request, error: Exception) -> Response:
        log.warning("a question to the warehouse failed", error=str(error))
        return problem(503, "the warehouse gave no answer; try again later", headers={"Retry-After": "5"})

    app.add_exception_handler(WarehouseError, away)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, failed)
