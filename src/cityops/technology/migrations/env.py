"""What alembic runs: the migrations, on the connection that `database.upgrade` holds."""

from __future__ import annotations

from alembic import context

from cityops.technology.database import Record

context.configure(connection=context.config.attributes["connection"], target_metadata=Record.metadata)
with context.begin_transaction():
    context.run_migrations()
