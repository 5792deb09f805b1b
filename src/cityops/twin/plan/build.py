"""The city folder: a plan written once as basemap, tiles and traffic network, and kept until its recipe changes."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from cityops.settings import Settings
from cityops.technology.geo.basemap import TILES_FILE, Basemap, write_basemap
from cityops.twin.plan import layers, sumo, tables
from cityops.twin.plan.generate import generate
from cityops.twin.plan.model import CityPlan

RECIPE = 8
"""Raised whenever the same arguments would give another folder, so that old folders are built anew."""

STAMP_FILE = "stamp.json"

Progress = Callable[[str, float], None]
"""Told the step at hand and the share of the whole that is done, 0..1."""


def silent(step: str, share: float) -> None:
    """Tell nobody."""


def ensure_city(
    settings: Settings, population: int, seed: int, progress: Progress = lambda step, share: None
) -> Basemap:
    """Return the city in the data directory, generating it first unless the same one (or an imported one) is there.

    An imported city is kept whatever is asked: remove its folder to return to the generated one.
    Raises SumoError, TilesError, OSError.
    """
    wanted = {"recipe": RECIPE, "kind": "generated", "population": population, "seed": seed}
    found = stamp(settings.city_dir)
    if found != wanted and found.get("kind") != "imported":
        progress("plan", 0.0)
        write_city(generate(population, seed), settings.city_dir, wanted, progress)
    progress("ready", 1.0)
    return Basemap.open(settings.city_dir)


def stamp(folder: Path) -> dict[str, object]:
    """Return the recipe a finished city folder was built from; empty when there is none."""
    try:
        found = json.loads((folder / STAMP_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_city(plan: CityPlan, folder: Path, recipe: Mapping[str, object], progress: Progress) -> None:
    """Write `plan` to `folder` as a whole or not at all: built beside it, stamped, then renamed into place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        progress("tables", 0.3)
        write_basemap(work, tables.city(plan), tables.links(plan), tables.places(plan), tables.districts(plan))
        progress("tiles and network", 0.4)
        with ThreadPoolExecutor() as pool:  # both wait for a program of their own
            written = (
                pool.submit(layers.write_tiles, plan, work / TILES_FILE),
                pool.submit(sumo.write_sumo, plan, work / "sumo"),
            )
            for one in as_completed(written):
                one.result()
                progress("tiles and network", 0.7)
        (work / STAMP_FILE).write_text(json.dumps(recipe), "utf-8")
        work.chmod(0o755)
        if folder.exists():
            worn = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
            folder.rename(worn / folder.name)
            work.rename(folder)
            shutil.rmtree(worn)
        else:
            work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
