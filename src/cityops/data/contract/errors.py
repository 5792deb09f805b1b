"""What can be wrong with a contract file, a name, or a change of a contract."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class ContractError(ValueError):
    """A contract file that cannot be used; `path`, `line` (1-based) and `property` (dotted place) say where."""

    def __init__(self, path: Path, line: int, place: str, problem: str) -> None:
        super().__init__(f"{path}:{line}: {place}: {problem}" if place else f"{path}:{line}: {problem}")
        self.path = path
        self.line = line
        self.property = place
        self.problem = problem


class UnknownContractError(KeyError):
    """A name under which no contract is known; `known` lists the names that are."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(name)
        self.name = name
        self.known = tuple(sorted(known))

    def __str__(self) -> str:
        known = ", ".join(self.known) or "none"
        return f"unknown contract {self.name!r}{suggestion(self.name, self.known)}; known: {known}"


class MigrationError(ValueError):
    """A change of a contract that would lose or falsify stored data; says which column and what to do."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean X?)` when one of `known` resembles `name` (case, `-` and `_` aside), else nothing."""
    plain = {_plain(k): k for k in known}
    near = get_close_matches(_plain(name), plain, n=1)
    return f" (did you mean {plain[near[0]]}?)" if near else ""


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
