"""The contracts of this installation: those of the package and of every installed app, found without importing them."""

from __future__ import annotations

from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import cityops
from cityops.data.contract.loader import Contracts, load_contracts

_PATTERN = "*.odcs.yaml"


def contract_folders() -> list[Path]:
    """Return the folders of contracts: `contracts` beside an app's manifest, and wherever this package has one."""
    package = Path(cityops.__file__).parent
    found = {path.parent for path in package.rglob(f"contracts/{_PATTERN}")}
    for entry in entry_points(group="cityops.apps"):
        spec = find_spec(entry.module)
        if spec is not None and spec.origin is not None:
            found.add(Path(spec.origin).parent / "contracts")
    return sorted(folder for folder in found if folder.is_dir())


def installed_contracts() -> Contracts:
    """Return the contracts of this installation. Raises ContractError."""
    return load_contracts(contract_folders())
