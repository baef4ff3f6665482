"""Shows progress: a live table in a terminal, plain lines anywhere else."""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from devstack.subprocess import Process, State

_STYLES = {
    State.WAITING: "dim",
    State.STARTING: "yellow",
    State.READY: "green",
    State.DONE: "green",
    State.PAUSED: "magenta",
    State.DIED: "bold red",
    State.STOPPING: "yellow",
    State.STOPPED: "dim",
}


class Display:
    """Shows the parts and what happens to them, as an (ordinary) context.

    `parts` are shown from the start, with their `addresses`. With `to_stderr` the
    standard output stays free for programs.
    """

    def __init__(
        self,
        addresses: Mapping[str, str],
        parts: Iterable[str],
        *,
        to_stderr: bool = False,
    ) -> None:
        self._console = Console(stderr=to_stderr, highlight=False)
        self._addresses = addresses
        self._shown: dict[str, tuple[State, int | None]]
        self._shown = dict.fromkeys(parts, (State.WAITING, None))
        self._live = (
            Live(self._table(), console=self._console, auto_refresh=False)
            if self._console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def changed(self, process: Process) -> None:
        """Show a part's new state. If it died, also show the end of its log."""
        now = (process.state, process.pid)
        if self._shown.get(process.name) == now:
            return
        self._shown[process.name] = now
        if process.state is State.DIED:
            self.say(process.report(f"died ({process.end}) and is started again"))
        if self._live:
            self._refresh()
        else:
            pid = f" (pid {process.pid})" if process.pid else ""
            self.say(f"{process.name}: {process.state}{pid}")

    def say(self, text: str) -> None:
        """Print permanent lines; a live table stays below them."""
        # The end of a log may contain colours.
        self._console.print(Text.from_ansi(text), soft_wrap=True)

    def mute(self) -> None:
        """Stop printing."""
        self._console.quiet = True

    def _refresh(self) -> None:
        if self._live:
            self._live.update(self._table(), refresh=True)

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
        for column in ("part", "state", "pid", "address"):
            table.add_column(column, header_style="dim")
        for name, (state, pid) in self._shown.items():
            styled = Text(state, style=_STYLES[state])
            address = self._addresses.get(name, "")
            table.add_row(name, styled, str(pid or ""), address)
        return table
