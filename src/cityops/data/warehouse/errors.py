"""Errors as ClickHouse words them, and the HTTP status its server gives each."""

from __future__ import annotations

import re

BAD_ARGUMENTS = 36
NOT_IMPLEMENTED = 48
SYNTAX_ERROR = 62
UNKNOWN_FORMAT = 73
UNKNOWN_TYPE_OF_QUERY = 78
UNKNOWN_COMPRESSION_METHOD = 89
READONLY = 164
TOO_MANY_SIMULTANEOUS_QUERIES = 202
SOCKET_TIMEOUT = 209
NETWORK_ERROR = 210
MEMORY_LIMIT_EXCEEDED = 241
NOT_ENOUGH_SPACE = 243
TOO_MANY_PARTS = 252
SESSION_NOT_FOUND = 372
SESSION_IS_LOCKED = 373
INTO_OUTFILE_NOT_ALLOWED = 358
QUERY_IS_TOO_LARGE = 222
QUERY_WAS_CANCELLED = 394
ACCESS_DENIED = 497
AUTHENTICATION_FAILED = 516
SHUTDOWN_CALLED = 726

# Code of system.errors -> status, after ClickHouse's exceptionCodeToHTTPStatus; every other code is a 500.
_STATUS = {
    194: 401,
    **dict.fromkeys((192, 193, 497, 512, 516), 403),
    # 400: the text of the query or of its data cannot be used
    **dict.fromkeys(
        (6, 8, 15, 25, 26, 27, 36, 38, 41, 44, 53, 62, 72, 117, 167, 168, 321, 376, 427, 441, 586, 675, 676, 677), 400
    ),
    # 404: a name is unknown
    **dict.fromkeys((46, 47, 50, 56, 60, 63, 73, 78, 81, 97, 99, 115, 511), 404),
    159: 408,
    222: 413,
    48: 501,
    **dict.fromkeys((76, 209, 439), 503),
}

_CODE = re.compile(r"Code: (\d+)\. ")
_VERSION = re.compile(r"\s*\(version [^()]*(?:\([^()]*\))?\)\s*$")


class EngineError(Exception):
    """A failure ClickHouse would report; `message` reads `Code: N. DB::Exception: … (NAME)`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        """HTTP status of the answer."""
        return _STATUS.get(self.code, 500)

    def without(self, tag: str) -> EngineError:
        """Return this error with the comment `tag` taken out of the statement it quotes."""
        return EngineError(self.code, self.message.replace(f"\n{tag}", ""))

    @classmethod
    def of(cls, error: BaseException) -> EngineError:
        """Return the engine's error out of a binding's exception, without what the binding put around it."""
        if isinstance(error, EngineError):
            return error
        text = str(error)
        if (found := _CODE.search(text)) is None:
            return cls(1001, f"Code: 1001. DB::Exception: {text or type(error).__name__}. (STD_EXCEPTION)")
        text = _VERSION.sub("", text[found.start() :]).rstrip()
        again = f"Code: {found[1]}. DB::Exception: "
        return cls(int(found[1]), text.removeprefix(again) if text.startswith(again * 2) else text)

    @classmethod
    def make(cls, code: int, name: str, text: str) -> EngineError:
        """Return the error `code` called `name` (both ClickHouse's) saying `text`."""
        return cls(code, f"Code: {code}. DB::Exception: {text} ({name})")
