"""What is known of a file being loaded, so that a load that was cut off goes on where it stopped (PostgreSQL)."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, DateTime, String, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from cityops.technology.database import Record

READING, DONE = "reading", "done"


class LoadJob(Record):
    """One file under one contract and mapping. `position` is where the next chunk begins (see edge/chunks)."""

    __tablename__ = "load_job"
    __table_args__ = (UniqueConstraint("file_digest", "contract", "mapping_digest"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    file_digest: Mapped[str] = mapped_column(String(64))
    file_name: Mapped[str] = mapped_column(String(1024))
    contract: Mapped[str] = mapped_column(String(200))
    mapping_digest: Mapped[str] = mapped_column(String(64))
    end: Mapped[int] = mapped_column("bytes_total", BigInteger)
    position: Mapped[int] = mapped_column("bytes_done", BigInteger, default=0)
    rows_read: Mapped[int] = mapped_column(BigInteger, default=0)
    state: Mapped[str] = mapped_column(String(16), default=READING)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), onupdate=func.now()
    )

    @property
    def source(self) -> str:
        """Name under which the rows are stored: one for each load of each file."""
        return f"load:{Path(self.file_name).name[-80:]}:{str(self.id)[:8]}"


def digest_of(path: Path) -> str:
    """Return the SHA-256 of the file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_or_begin(session: Session, path: Path, digest: str, contract: str, mapping_digest: str, end: int) -> LoadJob:
    """Return the job of this content under this contract and mapping, begun now when there is none."""
    found = session.scalars(
        select(LoadJob).where(
            LoadJob.file_digest == digest, LoadJob.contract == contract, LoadJob.mapping_digest == mapping_digest
        )
    ).one_or_none()
    if found is None:
        found = LoadJob(
            file_digest=digest, file_name=str(path), contract=contract, mapping_digest=mapping_digest, end=end
        )
        session.add(found)
        session.flush()
    return found
