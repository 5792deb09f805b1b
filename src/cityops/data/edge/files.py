"""`cityops load`: files through the log into the warehouse, with a count of what became of every row."""
# ruff: noqa: S608  # names come from validated contracts, values are bound

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from sqlalchemy.orm import Session, sessionmaker

from cityops.data.contract import DATABASE, QUARANTINE, Contract
from cityops.data.contract.installed import installed_contracts
from cityops.data.edge.chunks import Chunk, SourceFile, open_source
from cityops.data.edge.load_job import DONE, LoadJob, digest_of, find_or_begin
from cityops.data.edge.mapping import SourceMapping, read_mapping
from cityops.data.warehouse.client import AsyncWarehouse
from cityops.settings import Settings
from cityops.technology import bus, database

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext

_AHEAD = 48  # chunks the log may hold of ours: what devices send meanwhile waits no longer than for these
_LOOK_SECONDS = 0.05


class LoadError(RuntimeError):
    """What was read is not what was stored and set aside."""


@dataclass
class Outcome:
    """What became of the rows of one file: `quarantined` by rule."""

    path: Path
    rows: int
    stored: int
    quarantined: dict[str, int] = field(default_factory=dict)
    before: bool = False

    @property
    def agrees(self) -> bool:
        """Whether every row is accounted for."""
        return self.rows == self.stored + sum(self.quarantined.values())


def load(
    settings: Settings, files: Sequence[Path], contract: str, mapping: str | None, console: Console
) -> list[Outcome]:
    """Load `files` under `contract`, through `mapping` (a file, or the id of one that comes with CityOps).

    Returns what became of their rows once all are stored. Raises FileError, MappingError, UnknownContractError,
    LoadError when the sums do not agree, BusError when nothing runs.
    """
    outcomes = asyncio.run(_Load(settings, contract, mapping).run(files, console))
    console.print(_report(outcomes))
    wrong = [outcome for outcome in outcomes if not outcome.agrees]
    if wrong:
        named = "; ".join(
            f"{o.path}: {o.rows} read, {o.stored} stored, {sum(o.quarantined.values())} set aside" for o in wrong
        )
        raise LoadError(f"the sums differ: {named}")
    return outcomes


class _Load:
    def __init__(self, settings: Settings, contract: str, mapping: str | None) -> None:
        contracts = installed_contracts()
        self._settings = settings
        self._contract: Contract = contracts[contract]
        self._mapping: SourceMapping | None = read_mapping(mapping, contracts, contract) if mapping else None
        text = self._mapping.text if self._mapping else ""
        self._mapping_digest = hashlib.sha256(text.encode()).hexdigest() if text else ""
        self._warehouse = AsyncWarehouse(settings.warehouse_url)
        self._sessions: sessionmaker[Session] = database.sessions(settings)
        self._seq = 0

    async def run(self, files: Sequence[Path], console: Console) -> list[Outcome]:
        sources = [open_source(path, self._mapping) for path in files]
        client = await bus.connect(self._settings, "load", within=10.0)
        try:
            await bus.ensure_ingest(client.jetstream())
            await self._publish_mapping(client)
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                TextColumn("{task.fields[rows]:,} rows"),
                TimeRemainingColumn(),
            )
            with Progress(*columns, console=console) as progress:
                jobs = [await self._send(client, source, progress) for source in sources]
            with Progress(
                TextColumn("stored"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
            ) as progress:
                await self._passed(client, self._seq, progress)
            return [
                await self._outcome(job, source.path, before)
                for (job, before), source in zip(jobs, sources, strict=True)
            ]
        finally:
            await self._warehouse.close()
            await client.close()

    @property
    def _mapping_id(self) -> str:
        """A mapping is published under its content, so that a changed file never reads older rows."""
        return f"{self._mapping.id}-{self._mapping_digest[:8]}" if self._mapping else ""

    async def _publish_mapping(self, client: Client) -> None:
        if self._mapping:
            bucket = await bus.ensure_bucket(client.jetstream(), bus.MAPPINGS_BUCKET)
            await bucket.put(self._mapping_id, self._mapping.text.encode())

    async def _send(self, client: Client, source: SourceFile, progress: Progress) -> tuple[LoadJob, bool]:
        """Send what of the file was not sent before; return its job, and whether it had been done already."""
        digest = await asyncio.to_thread(digest_of, source.path)
        with self._sessions.begin() as session:
            job = find_or_begin(session, source.path, digest, self._contract.name, self._mapping_digest, source.end)
        task = progress.add_task(source.path.name, total=source.end, completed=job.position, rows=job.rows_read)
        if job.state == DONE:
            progress.update(task, completed=source.end)
            return job, True
        js = client.jetstream(timeout=10.0)
        resumed = job.rows_read > 0
        for chunk in source.chunks(job.position):
            if resumed:
                resumed = False
                if await self._was_sent(client, job, chunk):
                    self._note(job, chunk, progress, task)
                    continue
            if chunk.rows:
                await self._publish(js, job, chunk)
            self._note(job, chunk, progress, task)
            await self._keep_pace(js)
        return job, False

    async def _was_sent(self, client: Client, job: LoadJob, chunk: Chunk) -> bool:
        """Return whether the chunk on which the last attempt ended reached the log: its rows are there uncounted."""
        info = await client.jetstream().stream_info(bus.INGEST_STREAM)
        await self._passed(client, info.state.last_seq)
        found = await self._outcome(job, Path(job.file_name), before=False)
        return found.stored + sum(found.quarantined.values()) == job.rows_read + chunk.rows

    async def _publish(self, js: JetStreamContext, job: LoadJob, chunk: Chunk) -> None:
        headers = {
            bus.CONTENT_TYPE: chunk.content_type,
            bus.ROWS: str(chunk.rows),
            bus.MESSAGE_ID: f"{job.id}:{chunk.position}",
        }
        if self._mapping:
            headers[bus.MAPPING] = self._mapping_id
        subject = bus.ingest_subject(self._contract.name, job.source)
        self._seq = (await js.publish(subject, chunk.payload, headers=headers)).seq

    def _note(self, job: LoadJob, chunk: Chunk, progress: Progress, task: TaskID) -> None:
        job.position, job.rows_read = chunk.position, job.rows_read + chunk.rows
        with self._sessions.begin() as session:
            session.merge(job)
        progress.update(task, completed=job.position, rows=job.rows_read)

    async def _keep_pace(self, js: JetStreamContext) -> None:
        while True:
            floor = (await js.consumer_info(bus.INGEST_STREAM, bus.PIPELINE)).ack_floor
            if floor is None or (floor.stream_seq or 0) >= self._seq - _AHEAD:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _passed(self, client: Client, seq: int, progress: Progress | None = None) -> None:
        """Return once the pipeline has stored everything up to message `seq`."""
        js = client.jetstream()
        first = done = 0
        task = progress.add_task("", total=None) if progress else None
        while seq and done < seq:
            floor = (await js.consumer_info(bus.INGEST_STREAM, bus.PIPELINE)).ack_floor
            done = int(floor.stream_seq or 0) if floor else 0
            first = first or done
            if progress is not None and task is not None:
                progress.update(task, total=seq - first, completed=done - first)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _outcome(self, job: LoadJob, path: Path, before: bool) -> Outcome:
        given = {"source": job.source}
        stored = await self._warehouse.query(
            f"SELECT count() AS n FROM {DATABASE}.{self._contract.table} WHERE _source = {{source:String}}", given
        )
        broken = await self._warehouse.query(
            f"SELECT rule, count() AS n FROM {DATABASE}.{QUARANTINE} WHERE _source = {{source:String}} GROUP BY rule",
            given,
        )
        rules = {str(row["rule"]): int(row["n"]) for row in broken.to_pylist()}
        outcome = Outcome(path, job.rows_read, int(stored["n"][0].as_py()), rules, before)
        if outcome.agrees and job.position >= job.end and job.state != DONE:
            job.state = DONE
            with self._sessions.begin() as session:
                session.merge(job)
        return outcome


def _report(outcomes: Sequence[Outcome]) -> Table:
    table = Table("file", "rows read", "stored", "quarantined", "by rule", box=None, header_style="bold")
    for o in outcomes:
        rules = ", ".join(f"{rule} {count:,}" for rule, count in sorted(o.quarantined.items()))
        note = "loaded before; " if o.before else ""
        set_aside = sum(o.quarantined.values())
        table.add_row(o.path.name, f"{o.rows:,}", f"{o.stored:,}", f"{set_aside:,}", note + rules)
    rows, stored = sum(o.rows for o in outcomes), sum(o.stored for o in outcomes)
    set_aside = sum(sum(o.quarantined.values()) for o in outcomes)
    table.add_row("all", f"{rows:,}", f"{stored:,}", f"{set_aside:,}", "", style="bold")
    return table
