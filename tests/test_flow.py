"""The page that wires the flow, the table of roles and the order of stopping name the same roles."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from importlib.util import find_spec

from tests.engines import any_ports

from cityops import flow
from cityops.runtime.roles import BY_NAME, ROLES, STOP_ORDER
from cityops.settings import Settings


def test_every_role_we_wrote_is_a_stage_and_every_stage_a_role() -> None:
    assert set(flow.STAGES) == {role.name for role in ROLES} - {"nats", "postgres"}
    assert all(stage.__name__ == name for name, stage in flow.STAGES.items())


def test_every_role_is_stopped_and_after_those_that_need_it() -> None:
    assert sorted(STOP_ORDER) == sorted(BY_NAME)
    for role in ROLES:
        kept = [need for need in role.needs if not BY_NAME[need].once]
        assert all(STOP_ORDER.index(role.name) < STOP_ORDER.index(need) for need in kept)


def test_a_role_is_started_after_those_it_needs() -> None:
    names = [role.name for role in ROLES]
    for role in ROLES:
        assert all(names.index(need) < names.index(role.name) for need in role.needs)


def test_what_the_page_imports_is_there() -> None:
    for node in ast.walk(ast.parse(inspect.getsource(flow))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("cityops"):
            for name in node.names:
                whole = f"{node.module}.{name.name}"
                assert hasattr(import_module(node.module), name.name) or find_spec(whole), whole


def test_a_role_reads_the_settings_its_supervisor_gives(settings: Settings) -> None:
    program = BY_NAME["pipeline"].program(any_ports(settings.data_dir))
    assert program.env["CITYOPS_DATA_DIR"] == str(settings.data_dir)
    assert program.env["CITYOPS_NATS_URL"] == settings.nats_url
    assert program.env["TMPDIR"] == str(settings.data_dir / "tmp")
