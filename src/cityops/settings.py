"""Where this process finds its engines: environment first, then the endpoints a running supervisor wrote."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path

ENV_PREFIX = "CITYOPS_"
_KINDS: dict[str, Callable[[str], object]] = {"int": int, "float": float, "str": str}


class SettingsError(ValueError):
    """A setting that cannot be used; says which and why."""


def default_data_dir() -> Path:
    """Return this machine's data directory: CITYOPS_DATA_DIR, else /var/lib/cityops for root, ~/.cityops for others."""
    if given := os.environ.get(ENV_PREFIX + "DATA_DIR"):
        return Path(given).expanduser().absolute()
    return Path("/var/lib/cityops") if hasattr(os, "geteuid") and os.geteuid() == 0 else Path.home() / ".cityops"


@dataclass(frozen=True)
class Settings:
    """Addresses and folders; every field can be given as CITYOPS_<FIELD>."""

    data_dir: Path
    nats_url: str = "nats://127.0.0.1:4222"
    mqtt_host: str = "127.0.0.1"
    mqtt_port: int = 1883
    postgres_url: str = "postgresql+psycopg://cityops@127.0.0.1:15432/cityops"
    warehouse_url: str = "http://127.0.0.1:8123"
    edge_host: str = "127.0.0.1"
    edge_port: int = 8081
    ioc_host: str = "127.0.0.1"
    ioc_port: int = 8080
    population: int = 300_000
    seed: int = 1
    speed: float = 1.0
    log_sync: str = "1s"  # how often the log is forced onto the disk's platters, or "always": before each answer
    replay: str = ""  # file of a recorded frame (cityops.ioc.replay) that the IOC shows instead of the living city

    @property
    def run_dir(self) -> Path:
        """Folder of the endpoints file, pid records and locks."""
        return self.data_dir / "run"

    @property
    def scratch_dir(self) -> Path:
        """Folder of what roles need for a while; emptied at each start."""
        return self.data_dir / "tmp"

    @property
    def log_dir(self) -> Path:
        """Folder of the JSON-lines logs, one file a role."""
        return self.data_dir / "log"

    @property
    def city_dir(self) -> Path:
        """Folder of the city's reference data (technology/geo/basemap)."""
        return self.data_dir / "city"

    @property
    def endpoints_file(self) -> Path:
        """File in which a running supervisor says where its engines listen."""
        return self.run_dir / "endpoints.json"

    @classmethod
    def load(cls, data_dir: Path | None = None) -> Settings:
        """Return settings from (later ones win) defaults, endpoints file, environment. Raises SettingsError."""
        settings = cls(data_dir=(data_dir or default_data_dir()).absolute())
        if settings.endpoints_file.is_file():
            try:
                settings = settings.with_values(json.loads(settings.endpoints_file.read_text("utf-8")))
            except json.JSONDecodeError as error:
                raise SettingsError(
                    f"{settings.endpoints_file}: not JSON ({error}); remove it or start `cityops up`"
                ) from error
        given = {f.name: os.environ[key] for f in fields(cls) if (key := ENV_PREFIX + f.name.upper()) in os.environ}
        given.pop("data_dir", None)
        return settings.with_values(given)

    def with_values(self, values: dict[str, str]) -> Settings:
        """Return a copy with `values` (text) laid over; unknown names are left alone. Raises SettingsError."""
        kinds = {f.name: str(f.type) for f in fields(self)}
        known: dict[str, object] = {}
        for name, text in values.items():
            if name not in kinds or name == "data_dir":
                continue
            try:
                known[name] = _KINDS[kinds[name]](text)
            except ValueError as error:
                raise SettingsError(f"{ENV_PREFIX}{name.upper()}={text!r}: not {kinds[name]}") from error
        return replace(self, **known)  # type: ignore[arg-type]  # names and kinds checked above

    def environment(self) -> dict[str, str]:
        """Return these settings as the CITYOPS_* variables a child process reads."""
        return {ENV_PREFIX + f.name.upper(): str(getattr(self, f.name)) for f in fields(self)}
