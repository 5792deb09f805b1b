"""What a benchmark prints: a table for people, then one JSON object on the last line for machines."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil
from rich.console import Console
from rich.table import Table

CHECKS: dict[str, Callable[[float, float], bool]] = {
    ">=": lambda v, t: v >= t,
    "<=": lambda v, t: v <= t,
    "==": lambda v, t: v == t,
}


@dataclass
class Report:
    """Figures of one run and the targets they are held to; `ok` only where every target was measured and met."""

    bench: str
    figures: dict[str, float | str] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, value: float | str, target: str = "") -> None:
        """Record a figure; `target` is a comparison and a number, such as ">= 150000"."""
        self.figures[name] = round(value, 3) if isinstance(value, float) else value
        if target:
            self.targets[name] = target

    def met(self, name: str) -> bool:
        """Return whether the named target was measured and met."""
        value = self.figures.get(name)
        comparison, limit = self.targets[name].split()
        return isinstance(value, (int, float)) and CHECKS[comparison](float(value), float(limit))

    @property
    def ok(self) -> bool:
        """Whether every target was measured and met; a run without targets proves nothing."""
        return bool(self.targets) and all(self.met(name) for name in self.targets)

    def finish(self) -> int:
        """Print the table and the closing JSON line; return the exit code."""
        memory = psutil.virtual_memory().total / 2**30
        table = Table(title=f"{self.bench} · {platform.machine()} · {psutil.cpu_count()} cores · {memory:.0f} GB")
        for column in ("figure", "value", "target", "met"):
            table.add_column(column, justify="right" if column == "value" else "left")
        for name, value in self.figures.items():
            shown = f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, (int, float)) else str(value)
            target = self.targets.get(name, "")
            table.add_row(name, shown, target, ("yes" if self.met(name) else "NO") if target else "")
        Console().print(table)
        print(
            json.dumps(
                {"bench": self.bench, "ok": self.ok, "figures": self.figures, "targets": self.targets},
                ensure_ascii=False,
            ),
            flush=True,
        )
        return 0 if self.ok else 1
