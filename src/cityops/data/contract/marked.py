"""YAML read as nodes that remember their line, so that every error can say where it is."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path

import yaml

from cityops.data.contract.errors import ContractError, suggestion

_TAG = "tag:yaml.org,2002:"
_KINDS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "null": "nothing"}
_KINDS |= {"map": "a mapping", "seq": "a list", "timestamp": "a date"}


class Marked:
    """One value of a YAML file with its line and dotted place.

    Every reader of a value raises ContractError when the value is of another kind.
    """

    def __init__(self, node: yaml.Node, path: Path, place: str = "") -> None:
        self._node = node
        self.path = path
        self.place = place

    @property
    def line(self) -> int:
        """Line of the value in its file, 1-based."""
        return int(self._node.start_mark.line) + 1

    @property
    def kind(self) -> str:
        """Kind of the value in words."""
        return _KINDS.get(str(self._node.tag).removeprefix(_TAG), str(self._node.tag))

    @property
    def is_list(self) -> bool:
        """Whether the value is a list."""
        return isinstance(self._node, yaml.SequenceNode)

    def error(self, problem: str) -> ContractError:
        """Return (not raise) the error that says `problem` at this place."""
        return ContractError(self.path, self.line, self.place, problem)

    def mapping(self, known: Iterable[str], required: Iterable[str] = ()) -> Entries:
        """Return the entries; unknown, doubled and missing keys are errors."""
        if not isinstance(self._node, yaml.MappingNode):
            raise self.error(f"a mapping is wanted, found {self.kind}")
        names = frozenset(known)
        entries = Entries()
        for key_node, value_node in self._node.value:
            key_marked = Marked(key_node, self.path, self.place)
            key = key_marked.text()
            entry = Marked(value_node, self.path, f"{self.place}.{key}" if self.place else key)
            if key in entries:
                raise ContractError(self.path, key_marked.line, entry.place, "given twice")
            if key not in names:
                raise ContractError(self.path, key_marked.line, entry.place, f"unknown key{suggestion(key, names)}")
            entries[key] = entry
        for key in required:
            if key not in entries:
                raise self.error(f"`{key}` is missing")
        return entries

    def entries(self) -> list[tuple[Marked, Marked]]:
        """Return the keys and values of a mapping whose keys are free; a doubled key is an error."""
        if not isinstance(self._node, yaml.MappingNode):
            raise self.error(f"a mapping is wanted, found {self.kind}")
        pairs: list[tuple[Marked, Marked]] = []
        seen: set[str] = set()
        for key_node, value_node in self._node.value:
            place = f"{self.place}.{key_node.value}"
            if str(key_node.value) in seen:
                raise Marked(key_node, self.path, place).error("given twice")
            seen.add(str(key_node.value))
            pairs.append((Marked(key_node, self.path, place), Marked(value_node, self.path, place)))
        return pairs

    @property
    def raw(self) -> str:
        """Text of a plain value as it is written, without its quotes."""
        return str(self._node.value) if isinstance(self._node, yaml.ScalarNode) else ""

    def value(self) -> object:
        """Return a plain value: text, number, true or false, or None for nothing."""
        if not isinstance(self._node, yaml.ScalarNode):
            raise self.error(f"a plain value is wanted, found {self.kind}")
        return self._value()

    def items(self, named_by: str = "") -> list[Marked]:
        """Return the list's values, placed as `list[name]` by their text under `named_by`, else as `list[0]`."""
        if not isinstance(self._node, yaml.SequenceNode):
            raise self.error(f"a list is wanted, found {self.kind}")
        return [
            Marked(node, self.path, f"{self.place}[{_name_of(node, named_by) or number}]")
            for number, node in enumerate(self._node.value)
        ]

    def text(self, pattern: str = "", meaning: str = "") -> str:
        """Return the text, which must match `pattern` wholly; `meaning` explains the pattern."""
        if not isinstance(self._node, yaml.ScalarNode) or self._node.tag != _TAG + "str":
            raise self.error(f"text is wanted, found {self.kind}{self._quote_hint()}")
        value = str(self._node.value)
        if pattern and not re.fullmatch(pattern, value):
            raise self.error(f"{value!r} is not {meaning or 'of the form ' + pattern}")
        return value

    def choice(self, choices: Iterable[str]) -> str:
        """Return the text, one of `choices`."""
        value, known = self.text(), tuple(choices)
        if value not in known:
            raise self.error(f"{value!r} is not one of {', '.join(known)}{suggestion(value, known)}")
        return value

    def number(self) -> float:
        """Return the number; NaN and infinities are errors."""
        value = self._value()
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.error(f"a number is wanted, found {self.kind}")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.error("a finite number is wanted")
        return number

    def whole(self, minimum: int = 0) -> int:
        """Return the whole number, at least `minimum`."""
        value = self._value()
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(f"a whole number is wanted, found {self.kind}")
        if value < minimum:
            raise self.error(f"{value} is below {minimum}")
        return value

    def flag(self) -> bool:
        """Return the boolean."""
        value = self._value()
        if not isinstance(value, bool):
            raise self.error(f"true or false is wanted, found {self.kind}")
        return value

    def custom(self, known: Iterable[str]) -> Entries:
        """Return an ODCS `customProperties` list as name → value; unknown and doubled names are errors."""
        names = tuple(known)
        found = Entries()
        for item in self.items("property"):
            entry = item.mapping(("id", "property", "value", "description"), required=("property", "value"))
            name = entry["property"].choice(names)
            if name in found:
                raise item.error("given twice")
            found[name] = entry["value"]
        return found

    def _value(self) -> object:
        if not isinstance(self._node, yaml.ScalarNode):
            return None
        constructor = yaml.constructor.SafeConstructor()
        try:
            return constructor.construct_object(self._node)
        except (ValueError, yaml.YAMLError) as error:  # such as the date 2026-02-30
            raise self.error(f"not {self.kind}: {self._node.value!r}") from error

    def _quote_hint(self) -> str:
        if isinstance(self._node, yaml.ScalarNode) and self._node.value:
            return f' (write it in quotes: "{self._node.value}")'
        return ""


class Entries(dict[str, Marked]):
    """A mapping's entries, with defaults for those not given."""

    def text(self, key: str, default: str = "") -> str:
        """Return the text under `key`, trimmed."""
        return self[key].text().strip() if key in self else default

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return the boolean under `key`."""
        return self[key].flag() if key in self else default

    def custom(self, known: Iterable[str]) -> Entries:
        """Return what `customProperties` holds, none when it is not given."""
        return self["customProperties"].custom(known) if "customProperties" in self else Entries()


def read_marked(path: Path) -> Marked:
    """Return the only document of a YAML file. Raises ContractError when it cannot be read or is not YAML."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(path, 1, "", f"cannot be read: {error}") from error
    return parse_marked(text, path)


def parse_marked(text: str, path: Path) -> Marked:
    """Return the only document of YAML `text`; `path` is what errors name. Raises ContractError."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ContractError(path, line, "", f"not YAML: {error.problem or error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ContractError(path, 1, "", f"not YAML: {error}") from error
    if node is None:
        raise ContractError(path, 1, "", "the file is empty")
    return Marked(node, path)


def _name_of(node: yaml.Node, key: str) -> str:
    if not key or not isinstance(node, yaml.MappingNode):
        return ""
    found = (v.value for k, v in node.value if k.value == key and isinstance(v, yaml.ScalarNode))
    return str(next(found, ""))
