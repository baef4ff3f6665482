"""One `dev` per data directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class AlreadyRunning(Exception):
    """Another live process owns the data directory."""


@contextmanager
def only_one(data: Path) -> Iterator[None]:
    """Own `data` until the block ends; raise `AlreadyRunning` if another process does.

    The kernel drops the lock with its holder, however that died, so a lock file left
    behind means nothing.
    """
    with (data / "lock").open("a+") as file:
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
