"""One run of the command line: the API, and the terminal."""

import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from cli.api import Api
from cli.settings import load


@dataclass
class Session:
    api: Api
    out: Console
    err: Console
    close: Callable[[], None] = field(default=lambda: None)


_CURRENT: ContextVar[Session] = ContextVar("session")


def session() -> Session:
    return _CURRENT.get()


def begin() -> Session:
    """Open a session for the commands of this process."""
    err = Console(stderr=True, highlight=False)
    bar = Bar(err)
    api = Api(load(), bar.show)

    def close() -> None:
        bar.close()
        api.close()

    opened = Session(api, _stdout(), err, close)
    _CURRENT.set(opened)
    return opened


def _stdout() -> Console:
    # A file or a pipe has no width, so lines are not broken.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 400)


class Bar:
    """A progress bar on standard error, there only while something is waited for."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None

    def show(self, what: str, used: float) -> None:
        if not self._console.is_terminal:
            return  # in a script's log it is only noise
        if self._progress is None:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                console=self._console,
                transient=True,
            )
            self._progress.add_task(what, total=1.0)
            self._progress.start()
        self._progress.update(TaskID(0), description=what, completed=used)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
