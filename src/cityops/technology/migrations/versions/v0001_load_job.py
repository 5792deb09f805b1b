"""Files being loaded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table load_job."""
    now = sa.text("now()")
    op.create_table(
        "load_job",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("file_digest", sa.String(64), nullable=False),
        sa.Column("file_name", sa.String(1024), nullable=False),
        sa.Column("contract", sa.String(200), nullable=False),
        sa.Column("mapping_digest", sa.String(64), nullable=False),
        sa.Column("bytes_total", sa.BigInteger(), nullable=False),
        sa.Column("bytes_done", sa.BigInteger(), nullable=False),
        sa.Column("rows_read", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.UniqueConstraint("file_digest", "contract", "mapping_digest"),
        sa.CheckConstraint("state IN ('reading', 'done', 'failed')", name="state"),
    )


def downgrade() -> None:
    """Remove the table load_job."""
    op.drop_table("load_job")
