"""What kind of statement a text is: just enough SQL to route it, as ClickHouse's own HTTP server must."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cityops.data.warehouse.tokens import Token, Tokens, UnclosedError, pair, reader

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

    `text` is without FORMAT, semicolon and inline data; `settings` is a SETTINGS clause that stood after FORMAT
    or ends an INSERT's head; `format` is the FORMAT asked for; `data_at` is where an INSERT's rows begin in the whole;
    `forbidden` is what in it the server never runs.
    """

    kind: Kind
    text: bytes
    format: str | None = None
    settings: bytes = b""
    data_at: int = 0
    writes: bool = False
    stateful: bool = False
    forbidden: str | None = None


def _head(text: bytes) -> list[Token]:
    """Return the tokens of `text`, of an INSERT those before its rows. Raises UnclosedError."""
    found: list[Token] = []
    for token in Tokens(text):
        found.append(token)
        if token.depth == 0 and _starts_data(found):
            break
    return found


def _starts_data(tokens: list[Token]) -> bool:
    """Return whether the last token ends the head of an INSERT: what follows is rows, not SQL."""
    if tokens[0].upper != b"INSERT" or len(tokens) < 4:
        return False
    last, before = tokens[-1], tokens[-2]
    if last.upper == b"VALUES":
        return _is_clause(tokens, -1)
    return last.kind == "word" and before.upper == b"FORMAT" and _is_clause(tokens, -2)


def _is_clause(tokens: list[Token], at: int) -> bool:
    """Return whether the word at `at` is a clause and not a table's name."""
    return tokens[at - 1].text != b"." and tokens[at - 1].upper not in {b"INTO", b"TABLE", b"FUNCTION"}


def parse(text: bytes, *, complete: bool = True) -> Statement:
    """Return `text` routed; raises IncompleteError when `complete` is False and more text could change the answer."""
    try:
        tokens = _head(text)
    except UnclosedError:
        if not complete:
            raise IncompleteError from None
        return Statement(Kind.OTHER, text)  # the engine words the syntax error
    if len(tokens) >= 4 and tokens[-1].depth == 0 and _starts_data(tokens):
        return _insert(text, tokens, complete=complete)
    if not complete:
        raise IncompleteError
    return _whole(text, tokens) if tokens else Statement(Kind.OTHER, text)


def _insert(text: bytes, tokens: list[Token], *, complete: bool) -> Statement:
    last = tokens[-1]
    if last.end == len(text) and not complete:
        raise IncompleteError  # the format's name may go on
    if last.upper == b"VALUES":
        head, settings = _split_settings(text[: last.start], tokens)
        return Statement(Kind.DATA, head, "Values", settings, last.end, writes=True, forbidden=_forbidden(tokens))
    at = last.end
    while text[at : at + 1] in {b" ", b"\t", b"\f", b";"}:
        at += 1
    at += text[at : at + 1] == b"\r"
    if at == len(text) and not complete:
        raise IncompleteError  # the end of the line may follow
    at += text[at : at + 1] == b"\n"
    head, settings = _split_settings(text[: tokens[-2].start], tokens)
    fmt = last.text.decode("ascii")
    return Statement(Kind.DATA, head, fmt, settings, at, writes=True, forbidden=_forbidden(tokens))


def _split_settings(head: bytes, tokens: list[Token]) -> tuple[bytes, bytes]:
    """Return an INSERT's head and its SETTINGS clause, before which the source of the rows must stand."""
    for at in range(3, len(tokens)):
        if tokens[at].depth == 0 and tokens[at].upper == b"SETTINGS" and _is_clause(tokens, at):
            return head[: tokens[at].start], head[tokens[at].start :]
    return head, b""


def _whole(text: bytes, tokens: list[Token]) -> Statement:
    while len(tokens) > 1 and tokens[-1].text == b";":
        tokens.pop()
    end, first = tokens[-1].end, tokens[0].upper
    forbidden = _forbidden(tokens)
    if first == b"INSERT" and not any(t.upper in {b"SELECT", b"WITH", b"FROM", b"WATCH"} for t in tokens[2:]):
        # INSERT INTO t (columns), rows in the body: ClickHouse reads them as Values
        head, settings = _split_settings(text[:end], tokens)
        return Statement(Kind.DATA, head, None, settings, len(text), writes=True, forbidden=forbidden)
    at = None if first == b"INSERT" else _format_at(tokens)
    asked = None if at is None else tokens[at + 1].text.decode("ascii")
    head = text[:end] if at is None else text[: tokens[at].start]
    tail = b"" if at is None else text[tokens[at + 1].end : end].strip()
    selects = first in {b"SELECT", b"WITH", b"FROM"} or tokens[0].text == b"("
    writes = first == b"INSERT" or any(token.depth == 0 and token.upper == b"INSERT" for token in tokens)
    kind = Kind.ROWS if selects and not writes else Kind.OTHER
    words = [token.upper for token in tokens[:6]]
    stateful = first in {b"SET", b"USE"} or (first in _STATEFUL_TABLE and b"TEMPORARY" in words)
    return Statement(kind, head, asked, tail, writes=writes, stateful=stateful, forbidden=forbidden)


def _forbidden(tokens: list[Token]) -> str | None:
    """Return what in a statement the server never runs."""
    if tokens[0].kind != "word" and tokens[0].text != b"(":
        return "a command of the console"
    if any(token.text == b";" and token.depth == 0 for token in tokens[:-1]):
        return "several statements"
    return pair(tokens, b"INTO", b"OUTFILE") or pair(tokens, b"FROM", b"INFILE") or reader(tokens)


def _format_at(tokens: list[Token]) -> int | None:
    """Return where the closing FORMAT clause stands: FORMAT name, then nothing or SETTINGS."""
    for at in range(len(tokens) - 2, 0, -1):
        if tokens[at].depth == 0 and tokens[at].upper == b"FORMAT" and tokens[at + 1].kind == "word":
            if at + 2 == len(tokens) or tokens[at + 2].upper == b"SETTINGS":
                return at
            return None
    return None
