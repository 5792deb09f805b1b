"""Business records: the SQLAlchemy engine on PostgreSQL, and its tables brought up to date."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, MetaData, create_engine, text
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from cityops.settings import Settings

# Only one process upgrades at a time; the number is ours alone in this database.
_UPGRADE_LOCK = 7_401_001
_NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Record(DeclarativeBase):
    """Base of every table of business records."""

    metadata = MetaData(naming_convention=_NAMES)


@lru_cache(maxsize=8)
def engine(url: str) -> Engine:
    """Return the engine of this process for `url`; connections are checked before use, so a restart goes unnoticed."""
    return create_engine(url, pool_size=4, max_overflow=8, pool_pre_ping=True, pool_recycle=1800)


def sessions(settings: Settings) -> sessionmaker[Session]:
    """Return the maker of sessions: `with sessions(settings).begin() as session: ...` commits at the end."""
    return sessionmaker(engine(settings.postgres_url), expire_on_commit=False)


def upgrade(settings: Settings, revision: str = "head") -> None:
    """Bring the tables to `revision`; safe from several processes at once. Raises sqlalchemy.exc.OperationalError."""
    config = Config()
    config.set_main_option("script_location", str(files("cityops.technology.migrations")))
    with engine(settings.postgres_url).begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _UPGRADE_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
