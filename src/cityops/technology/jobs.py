"""Long work that survives its process: the record of each file that `cityops load` reads."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, DateTime, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from cityops.technology.database import Record

LOAD_STATES = ("reading", "done", "failed")


class LoadJob(Record):
    """One file on its way in; one row for each file, contract and mapping, so that loading resumes where it stopped."""

    __tablename__ = "load_job"
    __table_args__ = (
        UniqueConstraint("file_digest", "contract", "mapping_digest"),
        CheckConstraint(f"state IN {LOAD_STATES}", name="state"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    file_digest: Mapped[str] = mapped_column(String(64))
    file_name: Mapped[str] = mapped_column(String(1024))
    contract: Mapped[str] = mapped_column(String(200))
    mapping_digest: Mapped[str] = mapped_column(String(64), default="")
    bytes_total: Mapped[int] = mapped_column(BigInteger)
    bytes_done: Mapped[int] = mapped_column(BigInteger, default=0)
    rows_read: Mapped[int] = mapped_column(BigInteger, default=0)
    state: Mapped[str] = mapped_column(String(16), default="reading")
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), onupdate=func.now()
    )
