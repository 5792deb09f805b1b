"""UCUM units: what a number in one unit is in another (https://ucum.org, the codes contracts use)."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

_PREFIXES = {
    "Y": 1e24, "Z": 1e21, "E": 1e18, "P": 1e15, "T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "h": 1e2, "da": 1e1,
    "d": 1e-1, "c": 1e-2, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "a": 1e-18,
}  # fmt: skip
# Atoms that take prefixes: factor to the base units named, as exponents (UCUM table 1-5).
_METRIC: dict[str, tuple[float, str]] = {
    "m": (1, "m"), "g": (1, "g"), "s": (1, "s"), "K": (1, "K"), "rad": (1, "rad"), "cd": (1, "cd"), "C": (1, "C"),
    "A": (1, "C s-1"), "V": (1e3, "g m2 s-2 C-1"), "W": (1e3, "g m2 s-3"), "J": (1e3, "g m2 s-2"),
    "N": (1e3, "g m s-2"), "Pa": (1e3, "g m-1 s-2"), "Hz": (1, "s-1"), "bar": (1e8, "g m-1 s-2"),
    "L": (1e-3, "m3"), "l": (1e-3, "m3"), "t": (1e6, "g"), "lm": (1, "cd"), "lx": (1, "cd m-2"),
    "mol": (6.02214076e23, ""), "B": (1, "B"), "m[Hg]": (133_322_387.415, "g m-1 s-2"),
}  # fmt: skip
_PLAIN: dict[str, tuple[float, str]] = {
    "%": (0.01, ""), "[ppth]": (1e-3, ""), "[ppm]": (1e-6, ""), "[ppb]": (1e-9, ""), "deg": (math.pi / 180, "rad"),
    "'": (math.pi / 10800, "rad"), "min": (60, "s"), "h": (3600, "s"), "d": (86400, "s"), "wk": (604800, "s"),
    "a": (31_557_600, "s"), "mo": (2_629_800, "s"), "har": (1e4, "m2"), "atm": (101_325_000, "g m-1 s-2"),
    "[in_i]": (0.0254, "m"), "[ft_i]": (0.3048, "m"), "[mi_i]": (1609.344, "m"), "[nmi_i]": (1852, "m"),
    "[kn_i]": (1852 / 3600, "m s-1"), "[lb_av]": (453.59237, "g"),
}  # fmt: skip
# Scales whose zero is not nothing: kelvin = value · scale + offset.
_OFFSET: dict[str, tuple[float, float]] = {"Cel": (1.0, 273.15), "[degF]": (5 / 9, 459.67 * 5 / 9)}
_TERM = re.compile(r"(?P<number>\d+)$|(?P<atom>(?:[^\d.\-+]|\[[^\]]*\])+)(?P<exponent>[+-]?\d+)?$")


class UnitError(ValueError):
    """A unit nobody can read, or two that do not measure the same."""


@dataclass(frozen=True)
class Conversion:
    """value in the wanted unit = value · `scale` + `offset`."""

    scale: float = 1.0
    offset: float = 0.0

    @property
    def changes(self) -> bool:
        """Whether anything is to be done."""
        return (self.scale, self.offset) != (1.0, 0.0)


@dataclass(frozen=True)
class _Unit:
    scale: float
    offset: float
    base: tuple[tuple[str, int], ...]


def conversion(found: str, wanted: str) -> Conversion:
    """Return how to turn a number in UCUM unit `found` into `wanted`. Raises UnitError."""
    if found == wanted:
        return Conversion()
    one, other = _parse(found), _parse(wanted)
    if one.base != other.base:
        raise UnitError(f"{found!r} and {wanted!r} do not measure the same")
    # Rounded to 15 digits: factors like 1e-6/1e-3 must come out as the decimal a person would write.
    return Conversion(_decimal(one.scale / other.scale), _decimal((one.offset - other.offset) / other.scale))


def _decimal(value: float) -> float:
    return float(f"{value:.15g}")


@lru_cache(maxsize=512)
def _parse(code: str) -> _Unit:
    bare = re.sub(r"\{[^{}]*\}", "", code)  # annotations like {veh} count as 1
    if bare in _OFFSET:
        scale, offset = _OFFSET[bare]
        return _Unit(scale, offset, (("K", 1),))
    scale, base = _expression(bare, code)
    return _Unit(scale, 0.0, tuple(sorted((name, power) for name, power in base.items() if power)))


def _expression(text: str, code: str) -> tuple[float, Counter[str]]:
    scale, base, sign = 1.0, Counter[str](), 1
    for part in _split(text, code):
        if part in {".", "/"}:
            sign = 1 if part == "." else -1
        elif part:
            factor, powers = _expression(part[1:-1], code) if part.startswith("(") else _term(part, code)
            scale *= factor**sign
            for name, power in powers.items():
                base[name] += sign * power
    return scale, base


def _split(text: str, code: str) -> list[str]:
    """Split at `.` and `/` that stand outside of brackets, keeping them."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if letter in "./" and depth == 0:
            parts += [letter, ""]
        else:
            parts[-1] += letter
    if depth:
        raise UnitError(f"{code!r}: brackets do not match")
    return parts


def _term(term: str, code: str) -> tuple[float, Counter[str]]:
    match = _TERM.match(term)
    if not match:
        raise UnitError(f"{code!r}: {term!r} is no UCUM unit")
    if match["number"]:
        return float(match["number"]), Counter()
    factor, definition = _atom(match["atom"], code)
    power = int(match["exponent"] or 1)
    base = Counter[str]()
    for piece in definition.split():
        name, exponent = re.fullmatch(r"([A-Za-z]+)(-?\d+)?", piece).groups()  # type: ignore[union-attr]  # our own table
        base[name] += int(exponent or 1) * power
    return factor**power, base


def _atom(atom: str, code: str) -> tuple[float, str]:
    if atom in _PLAIN:
        return _PLAIN[atom]
    if atom in _METRIC:
        return _METRIC[atom]
    for length in (2, 1):
        prefix, rest = atom[:length], atom[length:]
        if prefix in _PREFIXES and rest in _METRIC:
            factor, base = _METRIC[rest]
            return _PREFIXES[prefix] * factor, base
    if atom in _OFFSET:
        raise UnitError(f"{code!r}: {atom} has no place in a compound unit")
    raise UnitError(f"{code!r}: {atom!r} is no UCUM unit known here")
