"""ClickHouse's SQL as tokens, and what in them reaches for files the engine's grants do not cover."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_TOKEN = re.compile(
    rb"""(?P<quoted>'(?:[^'\\]|\\.|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|\xe2\x80\x98.*?\xe2\x80\x99)
        |(?P<name>"(?:[^"\\]|\\.|"")*"|`(?:[^`\\]|\\.|``)*`|\xe2\x80\x9c.*?\xe2\x80\x9d)
        |(?P<space>\s+|[\x80-\xff]|--[^\n]*|\#(?:\ |!)[^\n]*|/\*.*?\*/)
        |(?P<word>[A-Za-z_][\w$]*)
        |(?P<number>\d[\w.]*)
        |(?P<mark>.)""",
    re.S | re.X,
)
_UNCLOSED = (b"'", b'"', b"`")
_READERS = {b"file", b"python"}
# Rows of VALUES are expressions; without one of these they cannot name a reader.
_SUSPECT = re.compile(rb"file|python|[`\"\xe2][^`\"]*\\", re.I)


class UnclosedError(ValueError):
    """A quotation begins that does not end."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL: word, name (quoted identifier), quoted (text), number or mark; `depth` counts open brackets."""

    kind: str
    text: bytes
    start: int
    end: int
    depth: int

    @property
    def upper(self) -> bytes:
        """The word in capitals, b"" for anything else."""
        return self.text.upper() if self.kind == "word" else b""

    @property
    def identifier(self) -> bytes:
        """The name in small letters, quoted or not, b"" for anything else."""
        if self.kind == "word":
            return self.text.lower()
        return self.text.strip(b'`"\xe2\x80\x9c\x9d').lower() if self.kind == "name" else b""


class Tokens:
    """Iterates over the tokens of `text`; spaces and comments are left out. Raises UnclosedError on the way."""

    def __init__(self, text: bytes) -> None:
        self._matches = _TOKEN.finditer(text)
        self._depth = 0

    def __iter__(self) -> Tokens:
        return self

    def __next__(self) -> Token:
        for match in self._matches:
            kind = "quoted" if match.lastgroup in {"tag", "quoted"} else str(match.lastgroup)
            if kind == "space":
                continue
            piece = match[0]
            if kind == "mark":
                if piece in _UNCLOSED:
                    raise UnclosedError
                self._depth += (piece in b"([{") - (piece in b")]}")
            return Token(kind, piece, match.start(), match.end(), self._depth)
        raise StopIteration


def reader(tokens: Sequence[Token]) -> str | None:
    """Return the name of a function that reads the server's files or objects when `tokens` may call it.

    The engine's grants close every other way to files; `file()` and `Python()` ask for no grant. Called are also names
    given to APPLY and to functions of higher order (`arrayMap(file, …)`).
    """
    for at, token in enumerate(tokens):
        name = token.identifier
        if token.kind == "name" and b"\\" in token.text and _next(tokens, at) in {b"(", b","}:
            return "a quoted name with an escape in it"
        if name not in _READERS:
            continue
        before = [t.upper or t.text for t in tokens[max(0, at - 2) : at]]
        if _next(tokens, at) == b"(" and not (before and before[-1] in {b"INTO", b"TABLE", b"."}):
            return name.decode()
        if b"APPLY" in before:
            return name.decode()
        if len(before) == 2 and before[1] == b"(" and _next(tokens, at) == b"," and _maps(tokens[at - 2]):
            return name.decode()
    return None


def _next(tokens: Sequence[Token], at: int) -> bytes:
    return tokens[at + 1].text if at + 1 < len(tokens) else b""


def _maps(token: Token) -> bool:
    return token.identifier.startswith((b"array", b"map"))


def values_reader(rows: bytes) -> str | None:
    """Return what `reader` finds in the rows of an INSERT … VALUES."""
    if _SUSPECT.search(rows) is None:
        return None
    try:
        return reader(list(Tokens(rows)))
    except UnclosedError:
        return None  # no such rows are read


def pair(tokens: Sequence[Token], one: bytes, two: bytes) -> str | None:
    """Return "ONE TWO" when these words follow each other outside brackets."""
    for left, right in pairwise(tokens):
        if left.upper == one and right.upper == two and left.depth == 0:
            return f"{one.decode()} {two.decode()}"
    return None
