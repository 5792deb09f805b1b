"""The command line: each command a few lines that call the room which does the work."""
# ruff: noqa: PLC0415  # a command loads what it needs and nothing else

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cityops.settings import Settings

app = typer.Typer(help="CityOps 城运: the operating centre of a city.", no_args_is_help=True, add_completion=False)
city_app = typer.Typer(help="The city's map and facilities.", no_args_is_help=True)
docs_app = typer.Typer(help="Pages made from the code.", no_args_is_help=True)
quarantine_app = typer.Typer(help="Rows that broke their contract.", no_args_is_help=True)
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(city_app, name="city")
app.add_typer(docs_app, name="docs")

console = Console()
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of everything kept; default CITYOPS_DATA_DIR or your own.")
]


@contextmanager
def _plainly() -> Iterator[None]:
    """Turn an error into one line and exit code 1; CITYOPS_DEBUG=1 shows where it came from."""
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        if os.environ.get("CITYOPS_DEBUG"):
            raise
        what = str(error)
        if isinstance(error, ModuleNotFoundError):
            what += ": `cityops doctor` says what is missing"
        Console(stderr=True).print(f"[red]error:[/red] {escape(what or repr(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


@app.command()
def up(
    data_dir: DataDir = None,
    population: Annotated[int | None, typer.Option(min=1000, help="People of the demo city.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed, another city.")] = None,
    speed: Annotated[float | None, typer.Option(min=0.1, help="How fast the demo city's time runs.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the screens; 0 means any.")] = None,
    no_twin: Annotated[bool, typer.Option("--no-twin", help="Without the demo city.")] = False,
) -> None:
    """Start the platform, print its address, stop it with Ctrl-C."""
    from cityops.runtime import up as runtime_up
    from cityops.runtime.progress import Display

    given = {"population": population, "seed": seed, "speed": speed, "ioc_port": port}
    with _plainly():
        settings = Settings.load(data_dir).with_values({k: str(v) for k, v in given.items() if v is not None})
        code = runtime_up.up(settings, Display(console), runtime_up.roles(twin=not no_twin))
    raise typer.Exit(code)


@app.command()
def down(data_dir: DataDir = None) -> None:
    """Stop the platform that runs on the data folder, and whatever a crash left."""
    from cityops.runtime import status as runtime_status

    with _plainly():
        if not runtime_status.end(Settings.load(data_dir), console.print):
            console.print("nothing was running")


@app.command()
def status(data_dir: DataDir = None) -> None:
    """Show the roles: state, process, memory, cores, restarts; exit code 3 when nothing runs, 4 when one is unwell."""
    from cityops.runtime import status as runtime_status

    settings = Settings.load(data_dir)
    running = runtime_status.supervisor(settings)
    rows = runtime_status.status(settings)
    table = Table("role", "state", "pid", "memory MB", "cores", "restarts", box=None, header_style="bold")
    for row in rows:
        pid = str(row.pid) if row.pid else ""
        table.add_row(row.role, row.state, pid, f"{row.rss / 1e6:.0f}", f"{row.cpu:.2f}", str(row.restarts))
    console.print(table)
    console.print(
        f"all: {sum(r.rss for r in rows) / 1e6:.0f} MB, {sum(r.cpu for r in rows):.2f} cores", highlight=False
    )
    if not running:
        console.print("not running")
        raise typer.Exit(3)
    for name, address in _addresses(settings).items():
        console.print(f"{name:10} {address}", highlight=False, soft_wrap=True)
    if any(row.state in ("unwell", "restarting", "failed") for row in rows):
        raise typer.Exit(4)


@app.command()
def serve(role: Annotated[str, typer.Argument(help="edge, pipeline, warehouse, ioc, twin, city or migrate.")]) -> None:
    """Run one role in this process, against the addresses given as CITYOPS_* (or those of the running platform)."""
    from cityops import flow
    from cityops.runtime.serve import serve as serve_role

    with _plainly():
        if role not in flow.STAGES:
            raise ValueError(f"no role {role!r}; there are {', '.join(flow.STAGES)}")
        serve_role(role, Settings.load())


@app.command()
def doctor(data_dir: DataDir = None) -> None:
    """Say what this machine lacks and how to mend it; exit code 1 when the platform cannot run."""
    from cityops.runtime.doctor import examine

    signs = {"ok": "[green]✓[/green]", "poor": "[yellow]![/yellow]", "missing": "[red]✗[/red]"}
    findings = examine(Settings.load(data_dir))
    for finding in findings:
        console.print(f"{signs[finding.verdict]} {finding.what}: {finding.found}", highlight=False, soft_wrap=True)
        if finding.mend:
            console.print(f"    {finding.mend}", highlight=False, markup=False, soft_wrap=True)
    if any(finding.verdict == "missing" for finding in findings):
        raise typer.Exit(1)


@app.command()
def load(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="CSV, Parquet or NDJSON.")],
    contract: Annotated[str, typer.Option("--contract", "-c", help="The contract that the rows are to keep.")],
    mapping: Annotated[
        str | None, typer.Option("--mapping", "-m", help="Mapping file, or the name of a shipped one.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Read files into the warehouse through the log; begun again, it goes on where it stopped."""
    from cityops.data.edge import files as edge_files

    with _plainly():
        edge_files.load(Settings.load(data_dir), files, contract, mapping, console)


@quarantine_app.command("list")
def quarantine_list(
    contract: Annotated[str | None, typer.Argument(help="Of this contract only.")] = None, data_dir: DataDir = None
) -> None:
    """Show what is in quarantine: rows, the rule they broke, where they came from, one as an example."""
    from cityops.data.pipeline.replay import held
    from cityops.data.warehouse.client import AsyncWarehouse

    with _plainly():
        found = asyncio.run(held(AsyncWarehouse(Settings.load(data_dir).warehouse_url), contract))
    for kind in found:
        console.print(f"[bold]{kind.contract} {kind.rule}[/bold]: {kind.rows} rows, {kind.reason}", highlight=False)
        console.print(
            f"  {kind.first:%Y-%m-%d %H:%M} to {kind.last:%Y-%m-%d %H:%M} UTC, from {', '.join(kind.sources)}"
        )
        console.print(f"  {kind.example}", markup=False, highlight=False)


@quarantine_app.command("replay")
def quarantine_replay(
    contract: Annotated[str, typer.Argument(help="The contract that the rows are to keep.")],
    rule: Annotated[str, typer.Argument(help="The rule that they broke, as `cityops quarantine list` names it.")],
    data_dir: DataDir = None,
) -> None:
    """Send rows through the log again, once what broke them is mended."""
    from cityops.data.pipeline.replay import replay

    with _plainly():
        console.print(f"{asyncio.run(replay(Settings.load(data_dir), contract, rule))} rows sent again")


@city_app.command("import")
def city_import(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="OpenStreetMap extract, .osm.pbf.")],
    name: Annotated[str | None, typer.Option(help="The city's name; default: of its largest place.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Make the city of a real map: roads, buildings, facilities, traffic network, tiles."""
    from rich.progress import Progress

    with _plainly(), Progress(console=console, transient=True) as bar:
        from cityops.twin.plan.osm import import_city

        task = bar.add_task("", total=1.0)
        city = import_city(
            file, Settings.load(data_dir), name, lambda step, share: bar.update(task, description=step, completed=share)
        )
        counts = ", ".join(f"{number} {what}" for what, number in city.city.counts.items())
        console.print(f"{city.city.name['en']}: {counts}", highlight=False)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def bench(context: typer.Context, name: Annotated[str, typer.Argument(help="ingest, latency, memory or up.")]) -> None:
    """Run a benchmark of the source tree: figures beside a baseline of the same run."""
    root = Path(__file__).resolve().parents[2]
    there = sorted(path.stem for path in (root / "bench").glob("*.py") if "def main(" in path.read_text("utf-8"))
    if name not in there:
        console.print(
            f"no benchmark {name!r}" + (f"; there are {', '.join(there)}" if there else ": they are in the source tree")
        )
        raise typer.Exit(2)
    sys.path.insert(0, str(root))
    raise typer.Exit(int(importlib.import_module(f"bench.{name}").main(context.args)))


@docs_app.command("flow")
def docs_flow(
    file: Annotated[Path, typer.Argument(help="The page to write.")] = Path("docs/flow.md"),
) -> None:
    """Write the page of all events of the bus."""
    from cityops.technology.events import render

    file.write_text(render(), "utf-8")
    console.print(f"wrote {file}")


def _addresses(settings: Settings) -> dict[str, str]:
    return {
        "screens": f"http://{settings.ioc_host}:{settings.ioc_port}",
        "edge": f"http://{settings.edge_host}:{settings.edge_port}/v1/ingest",
        "MQTT": f"mqtt://{settings.mqtt_host}:{settings.mqtt_port}",
        "ClickHouse": settings.warehouse_url,
        "NATS": settings.nats_url,
        "PostgreSQL": settings.postgres_url.split("@")[-1],
    }


if __name__ == "__main__":
    app(prog_name="cityops")
