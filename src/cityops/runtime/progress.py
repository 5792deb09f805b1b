"""What a person sees while the platform starts: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from cityops.runtime.keeper import State
from cityops.runtime.roles import BY_NAME
from cityops.settings import Settings

_SIGNS: dict[State, str] = {
    "waiting": "[dim]·[/dim]",
    "healthy": "[green]✓[/green]",
    "done": "[green]✓[/green]",
    "unwell": "[yellow]![/yellow]",
    "restarting": "[yellow]↻[/yellow]",
    "failed": "[red]✗[/red]",
    "stopped": "[dim]■[/dim]",
}


class Display:
    """Shows states as they change; after `ready` only what goes wrong is told."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._states: dict[str, State] = {}
        self._details: dict[str, str] = {}
        self._began = time.monotonic()
        self._live: Live | None = None
        self._is_ready = False
        self._spinner = Spinner("dots")

    def start(self, roles: list[str]) -> None:
        """Show `roles`, all waiting."""
        self._states = dict.fromkeys(roles, "waiting")
        self._began = time.monotonic()
        if self._console.is_terminal:
            self._live = Live(get_renderable=self._table, console=self._console, refresh_per_second=8, transient=True)
            self._live.start()

    def changed(self, role: str, state: State) -> None:
        """Show that `role` is now in `state`."""
        before = self._states.get(role)
        self._states[role] = state
        self._details.pop(role, None)
        if self._live:
            return
        if not self._is_ready:
            if state in ("healthy", "done", "failed", "restarting"):
                self._line(f"{role}: {state}")
        elif state in ("unwell", "restarting") or (state == "healthy" and before in ("starting", "unwell")):
            self._line(f"{role}: {state}")

    def progress(self, role: str, step: str, share: float) -> None:
        """Show how far `role` is: `share` of the whole, 0..1."""
        self._details[role] = f"{step} {share:.0%}"

    def ready(self, settings: Settings) -> None:
        """Say where the platform is, in one line."""
        self._end_live()
        self._is_ready = True
        host = "127.0.0.1" if settings.ioc_host in ("0.0.0.0", "::") else settings.ioc_host  # noqa: S104  # compared
        seconds = time.monotonic() - self._began
        self._line(
            f"CityOps 城运  http://{host}:{settings.ioc_port}  (up in {seconds:.0f} s; "
            f"devices: mqtt {settings.mqtt_port}, http {settings.edge_port}; "
            f"ClickHouse: {urlsplit(settings.warehouse_url).port}; Ctrl-C stops)"
        )

    def stopping(self) -> None:
        """Say that the platform is being stopped."""
        self._end_live()
        self._is_ready = False
        self._states.clear()
        self._line("stopping … (once more: at once)")

    def stopped(self) -> None:
        """Say that nothing runs any more."""
        self._line("stopped")

    def close(self) -> None:
        """Give the terminal back."""
        self._end_live()

    def _end_live(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def _line(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for role, state in self._states.items():
            sign = self._spinner if state == "starting" else _SIGNS.get(state, "")
            table.add_row(sign, role, f"[dim]{BY_NAME[role].does}[/dim]", self._details.get(role, ""))
        table.add_row("", f"{time.monotonic() - self._began:.0f} s", "", "")
        return table
