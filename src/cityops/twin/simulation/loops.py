"""Induction loops: SUMO sends what they counted over a socket, slice by slice, far cheaper than asking for it."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterable
from pathlib import Path

from cityops.twin.simulation.city import Loop
from cityops.twin.simulation.devices.detectors import SLICE_S, LoopCount

_INTERVAL = re.compile(
    r'<interval begin="[^"]*" end="([^"]*)" id="([^"]*)" nVehContrib="(\d+)" flow="[^"]*"'
    r' occupancy="([^"]*)" speed="([^"]*)"'
)


class LoopReader:
    """Listens for SUMO's loop output (one line a loop and slice) and hands out whole slices."""

    def __init__(self, loops: Iterable[Loop]) -> None:
        self._loops = list(loops)
        self._server = socket.create_server(("127.0.0.1", 0), backlog=1)
        self._slices: dict[float, list[LoopCount]] = {}
        self._whole = threading.Condition()
        self._thread = threading.Thread(target=self._listen, name="loops", daemon=True)
        self._thread.start()

    def write_additional(self, path: Path) -> None:
        """Write the file by which SUMO makes the loops and sends their counts here."""
        address = f"127.0.0.1:{self._server.getsockname()[1]}"
        lines = [
            f'<inductionLoop id="{loop.id}" lane="{loop.lane}" pos="{loop.position}" friendlyPos="true"'
            f' period="{SLICE_S}" file="{address}"/>\n'
            for loop in self._loops
        ]
        path.write_text("<additional>\n" + "".join(lines) + "</additional>\n", "utf-8")

    def take(self, end: float, timeout: float = 2.0) -> list[LoopCount]:
        """Return the counts of the slice that ended at `end` (simulator's time); [] when they do not come in time."""
        if not self._loops:
            return []
        with self._whole:
            self._whole.wait_for(lambda: len(self._slices.get(end, ())) >= len(self._loops), timeout)
            whole = self._slices.pop(end, [])
            for old in [key for key in self._slices if key < end]:
                del self._slices[old]
        return whole if len(whole) == len(self._loops) else []

    def close(self) -> None:
        """Stop listening."""
        self._server.close()

    def _listen(self) -> None:
        try:
            connection, _ = self._server.accept()
            with connection, connection.makefile("r", encoding="utf-8", newline="\n") as lines:
                for line in lines:
                    if found := _INTERVAL.search(line):
                        end, loop, vehicles, occupancy, speed = found.groups()
                        self._add(float(end), LoopCount(loop, int(vehicles), float(occupancy) / 100, float(speed)))
        except OSError:
            return  # closed: SUMO ended, or we did

    def _add(self, end: float, count: LoopCount) -> None:
        with self._whole:
            counts = self._slices.setdefault(end, [])
            counts.append(count)
            if len(counts) == len(self._loops):
                self._whole.notify_all()
