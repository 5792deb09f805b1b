"""What kind of statement a text is: just enough SQL to route it, as ClickHouse's own HTTP server must."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

_TOKEN = re.compile(
    rb"""(?P<space>\s+|--[^\n]*|\#(?:\ |!)[^\n]*|/\*.*?\*/)
        |(?P<quoted>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`\\]|\\.|``)*`|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
        |(?P<word>[A-Za-z_\x80-\xff][\w\x80-\xff]*)
        |(?P<number>\d[\w.]*)
        |(?P<mark>.)""",
    re.S | re.X,
)
_UNCLOSED = (b"'", b'"', b"`")
_STATEFUL_TABLE = {b"CREATE", b"DROP", b"REPLACE", b"TRUNCATE"}


class Kind(Enum):
    """How a statement is run."""

    ROWS = "rows"  # a SELECT: may answer more than memory holds
    DATA = "data"  # an INSERT whose rows follow the statement
    OTHER = "other"  # everything else: small answer or none


class IncompleteError(ValueError):
    """The text ends before the statement's kind is known."""


@dataclass(frozen=True)
class Statement:
    """A routed statement.

    `text` is without FORMAT clause, semicolon and inline data; `settings` is what stood after FORMAT; `format` is the
    FORMAT asked for; `data_at` is where an INSERT's rows begin in the original text.
    """

    kind: Kind
    text: bytes
    format: str | None = None
    settings: bytes = b""
    data_at: int = 0
    writes: bool = False
    stateful: bool = False
    forbidden: str | None = None


@dataclass(frozen=True)
class _Token:
    kind: str
    text: bytes
    start: int
    end: int
    depth: int

    @property
    def upper(self) -> bytes:
        return self.text.upper() if self.kind == "word" else b""


def _tokens(text: bytes) -> list[_Token]:
    found: list[_Token] = []
    depth = 0
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup if match.lastgroup != "tag" else "quoted"
        if kind is None or kind == "space":
            continue
        piece = match[0]
        if kind == "mark":
            if piece in _UNCLOSED:
                raise IncompleteError
            depth += (piece in b"([{") - (piece in b")]}")
        found.append(_Token(kind, piece, match.start(), match.end(), depth))
        if depth == 0 and _starts_data(found):
            break
    return found


def _starts_data(tokens: list[_Token]) -> bool:
    """Return whether the last token ends the head of an INSERT: what follows is rows, not SQL."""
    if tokens[0].upper != b"INSERT" or len(tokens) < 4:
        return False
    last, before = tokens[-1], tokens[-2]
    if last.upper == b"VALUES":
        return _is_clause(tokens, -1)
    return last.kind == "word" and before.upper == b"FORMAT" and _is_clause(tokens, -2)


def _is_clause(tokens: list[_Token], at: int) -> bool:
    """Return whether the word at `at` is a clause and not a table's name."""
    return tokens[at - 1].text != b"." and tokens[at - 1].upper not in {b"INTO", b"TABLE", b"FUNCTION"}


def parse(text: bytes, *, complete: bool = True) -> Statement:
    """Return `text` routed; raises IncompleteError when `complete` is False and more text could change the answer."""
    try:
        tokens = _tokens(text)
    except IncompleteError:
        if not complete:
            raise
        return Statement(Kind.OTHER, text)  # the engine words the syntax error
    if not tokens:
        if not complete:
            raise IncompleteError
        return Statement(Kind.OTHER, text)
    first = tokens[0].upper
    if first == b"INSERT" and len(tokens) >= 4 and tokens[-1].depth == 0 and _starts_data(tokens):
        return _insert(text, tokens, complete=complete)
    if not complete:
        raise IncompleteError
    return _whole(text, tokens, first)


def _insert(text: bytes, tokens: list[_Token], *, complete: bool) -> Statement:
    last = tokens[-1]
    if last.end == len(text) and not complete:
        raise IncompleteError  # the format's name may go on
    if last.upper == b"VALUES":
        return Statement(Kind.DATA, text[: last.start], "Values", data_at=last.end, writes=True)
    at = last.end
    while text[at : at + 1] in {b" ", b"\t", b"\f", b";"}:
        at += 1
    if at == len(text) and not complete:
        raise IncompleteError
    at += text[at : at + 1] == b"\r"
    at += text[at : at + 1] == b"\n"
    head = text[: tokens[-2].start]
    return Statement(Kind.DATA, head, last.text.decode("latin-1"), data_at=at, writes=True)


def _whole(text: bytes, tokens: list[_Token], first: bytes) -> Statement:
    while len(tokens) > 1 and tokens[-1].text == b";":
        tokens.pop()
    end = tokens[-1].end
    words = [token.upper for token in tokens[:6]]
    stateful = first in {b"SET", b"USE"} or (first in _STATEFUL_TABLE and b"TEMPORARY" in words)
    if first == b"INSERT":
        has_source = any(token.upper in {b"SELECT", b"WITH", b"FROM", b"WATCH"} for token in tokens[2:])
        if has_source:
            return Statement(Kind.OTHER, text[:end], writes=True, forbidden=_pair(tokens, b"FROM", b"INFILE"))
        # INSERT INTO t (columns), rows in the body: ClickHouse reads them as Values
        return Statement(Kind.DATA, text[:end], None, data_at=len(text), writes=True)
    at = _format_at(tokens)
    asked = None if at is None else tokens[at + 1].text.decode("latin-1")
    head = text[:end] if at is None else text[: tokens[at].start]
    tail = b"" if at is None else text[tokens[at + 1].end : end]
    rows = first in {b"SELECT", b"WITH", b"FROM"} or tokens[0].text == b"("
    writes = any(token.depth == 0 and token.upper == b"INSERT" for token in tokens) if rows else False
    kind = Kind.ROWS if rows and not writes else Kind.OTHER
    return Statement(
        kind, head, asked, tail.strip(), writes=writes, stateful=stateful, forbidden=_pair(tokens, b"INTO", b"OUTFILE")
    )


def _format_at(tokens: list[_Token]) -> int | None:
    """Return where the closing FORMAT clause stands: FORMAT name, then nothing or SETTINGS."""
    for at in range(len(tokens) - 2, 0, -1):
        if tokens[at].depth == 0 and tokens[at].upper == b"FORMAT" and tokens[at + 1].kind == "word":
            if at + 2 == len(tokens) or tokens[at + 2].upper == b"SETTINGS":
                return at
            return None
    return None


def _pair(tokens: list[_Token], one: bytes, two: bytes) -> str | None:
    for left, right in pairwise(tokens):
        if left.upper == one and right.upper == two and left.depth == 0:
            return f"{one.decode()} {two.decode()}"
    return None
