"""The web sources hold together: typed throughout, and typed after the API as it is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from cityops.ioc.server import write_openapi

WEB = Path(__file__).parents[2] / "web"
MODULES = WEB / "node_modules"


@pytest.fixture(scope="module")
def node() -> str:
    """A Node that runs the tools of web/."""
    found = shutil.which("node")
    if found is None or not MODULES.is_dir():
        pytest.skip("no node on PATH, or no web/node_modules: the UI was built elsewhere")
    return found


def test_the_described_api_is_the_real_one(tmp_path: Path):
    write_openapi(tmp_path / "openapi.json")
    assert (tmp_path / "openapi.json").read_text("utf-8") == (WEB / "openapi.json").read_text("utf-8"), (
        "the API has changed: see web/README.md for how its description and types are made anew"
    )


def test_the_generated_types_are_those_of_the_description(node: str, tmp_path: Path):
    made = tmp_path / "schema.d.ts"
    tool = MODULES / "openapi-typescript" / "bin" / "cli.js"
    subprocess.run([node, tool, "openapi.json", "-o", made], cwd=WEB, check=True, capture_output=True)
    assert made.read_text("utf-8") == (WEB / "src" / "api" / "schema.d.ts").read_text("utf-8"), "run: npm run types"


@pytest.mark.slow
def test_types_hold(node: str):
    tool = MODULES / "vue-tsc" / "bin" / "vue-tsc.js"
    done = subprocess.run([node, tool, "--noEmit"], cwd=WEB, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_lock_names_no_address():
    assert '"resolved"' not in (WEB / "package-lock.json").read_text("utf-8")
