"""Tables of business records: made by migrations, equal to what the code declares."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from tests.engines import Engines

from cityops.data.edge.load_job import LoadJob
from cityops.technology import database

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def tables(postgres: Engines) -> Engines:
    with ThreadPoolExecutor(3) as pool:  # several roles may come up at once
        list(pool.map(lambda _: database.upgrade(postgres.settings), range(3)))
    return postgres


def test_migrations_make_the_tables_the_code_declares(tables: Engines) -> None:
    with database.engine(tables.settings.postgres_url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, database.Record.metadata) == []


def test_a_file_is_on_record_once_for_each_contract_and_mapping(tables: Engines) -> None:
    make = database.sessions(tables.settings)
    same = {"file_digest": "d" * 64, "file_name": "a.csv", "contract": "A", "mapping_digest": "", "end": 10}
    with make.begin() as session:
        session.add(LoadJob(**same))
    with make() as session:
        assert session.scalars(select(LoadJob)).one().state == "reading"
    with pytest.raises(IntegrityError), make.begin() as session:
        session.add(LoadJob(**same))
