"""The network that is simulated: all streets of a small city, the main ones of a large city."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import sumo

from cityops.twin.plan.sumo import NET_FILE, binary

MOST_LINKS = 12_000
"""Above it the smallest streets are left out: SUMO takes 30 kB a link with its junctions, 0.7 GB for 23,000."""
MAIN_FILE = "main.net.xml"
MAIN = (
    "motorway",
    "trunk",
    "primary",
    "secondary",
    "tertiary",
    "unclassified",
    "motorway_link",
    "trunk_link",
    "primary_link",
    "secondary_link",
    "tertiary_link",
)
"""Road classes that stay."""


class NetworkError(RuntimeError):
    """netconvert could not take the main streets out; carries what it said."""


def simulated_network(folder: Path, links: int) -> Path:
    """Return the network to simulate of a city folder with so many links; taken out once and kept beside the whole.

    Raises NetworkError, OSError.
    """
    whole = folder / "sumo" / NET_FILE
    if links <= MOST_LINKS:
        return whole
    main = whole.with_name(MAIN_FILE)
    if not main.is_file() or main.stat().st_mtime < whole.stat().st_mtime:
        _take_out(whole, main)
    return main


def _take_out(whole: Path, main: Path) -> None:
    part = main.with_name(f".{main.name}.{os.getpid()}")
    command = [str(binary("netconvert")), "-s", str(whole), "-o", str(part), "--precision=2", "--no-warnings=true"]
    command += ["--offset.disable-normalization=true", "--no-turnarounds.except-deadend=true"]
    command += ["--keep-edges.by-type", ",".join(f"highway.{kind}" for kind in MAIN)]
    environment = {**os.environ, "SUMO_HOME": sumo.SUMO_HOME}
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode or not part.is_file():
            said = (done.stderr or done.stdout).strip()[-1000:]
            raise NetworkError(f"netconvert ended with {done.returncode}: {said}")
        part.replace(main)
    finally:
        part.unlink(missing_ok=True)
