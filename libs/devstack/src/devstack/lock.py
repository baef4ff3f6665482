"""One `dev` per data directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class AlreadyRunning(Exception):
    """Another live process owns the data directory."""


class SomebodyElses(Exception):
    """The data directory holds files that no stack has written."""


@contextmanager
def only_one(data: Path) -> Iterator[None]:
    """Own `data` until the block ends; raise `AlreadyRunning` if another process does.

    The kernel drops the lock with its holder, however that died, so a lock file left
    behind means nothing but that the directory is ours. Where there is none, `data` is
    new or empty; else raises `SomebodyElses`: much in it would be moved and deleted.
    """
    lock = data / "lock"
    data.mkdir(parents=True, exist_ok=True)
    if not lock.exists() and any(data.iterdir()):
        raise SomebodyElses(
            f"{data} is in use for something else. Choose a new or empty directory: "
            "uv run dev --data DIR"
        )
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise AlreadyRunning(
                f"Another dev (pid {file.read() or 'unknown'}) already runs on {data}. "
                "Stop it, or start a second system beside it: "
                "uv run dev --data ANOTHER_DIR --ports auto"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
