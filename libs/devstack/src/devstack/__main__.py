"""`uv run dev`: the whole system on one machine."""

import asyncio
import json
import signal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from devstack.announcements import access_tokens, by_hand, links, overview
from devstack.auth_headers import AuthHeaders, by_header, by_token
from devstack.demo import STORIES, DemoFailed, play
from devstack.display import Display
from devstack.lock import AlreadyRunning, SomebodyElses
from devstack.observability.order_trace import trace_of_an_order
from devstack.observability.prometheus import NoPrometheus
from devstack.ports import Ports, PortTaken, free_ports
from devstack.reload import reload
from devstack.seed.seeding import seed_shop
from devstack.seed.shop import SeedFailed
from devstack.services import Addresses
from devstack.stack import EXTRAS, PARTS, Options, Stack, with_errands
from devstack.subprocess import PartFailed

_EXAMPLES = """Examples:

uv run dev: start everything and keep it running until Ctrl-C.

uv run dev --demo: watch an order go from placement to delivery.

uv run dev --demo --exit: stop after it; the exit status says how it went.

uv run dev --seed-shop: a shop to look around in, with orders in every state.

uv run dev --reload: run what you change as soon as it is saved.

uv run dev --only temporal,postgres: to run worker and API by hand.

uv run dev --auth: with access tokens, as in production; it prints one per role.

uv run dev --data other --ports auto: a second system beside the first.
"""

# A second signal stops everything at once, but one key press can arrive twice: from the
# terminal, and passed on by `uv run`.
_SAME_PRESS_SECONDS = 1.0

app = typer.Typer(add_completion=False)


class PortChoice(StrEnum):
    known = "known"
    auto = "auto"


def _project() -> Path:
    """The root of the checkout we run from, or the current directory."""
    root = Path(__file__).resolve().parents[4]
    return root if (root / "uv.lock").exists() else Path.cwd()


def _parts(only: str | None) -> tuple[str, ...]:
    if only is None:
        return with_errands(PARTS)
    chosen = [name.strip() for name in only.split(",")]
    known = ", ".join(PARTS)
    if unknown := set(chosen) - set(PARTS):
        raise typer.BadParameter(
            f"no part is called {', '.join(sorted(unknown))}; choose from {known}"
        )
    return with_errands(name for name in PARTS if name in chosen)


def _extras(
    *, traces: bool, observe: bool, auth: bool, encrypt: bool
) -> tuple[str, ...]:
    wanted = {
        "traces": traces,
        "prometheus": observe,
        "issuer": auth,
        "codec": encrypt,
    }
    return tuple(name for name in EXTRAS if wanted[name])


def _story(demo: bool, story: str | None, only: str | None) -> str | None:
    if not demo:
        if story is not None:
            raise typer.BadParameter(f"{story!r} goes with --demo")
        return None
    if only is not None:
        raise typer.BadParameter("--demo needs every part, so it excludes --only")
    name = story or "short"
    if name not in STORIES:
        known = ", ".join(STORIES)
        raise typer.BadParameter(f"there is no demo {name!r}; there is {known}")
    return name


def _seeded(seeded: bool, only: str | None) -> bool:
    if seeded and only is not None:
        raise typer.BadParameter("--seed-shop needs every part, so it excludes --only")
    return seeded


@app.command(epilog=_EXAMPLES)
def dev(
    story: Annotated[
        str | None,
        typer.Argument(
            help=f"Which demo, with --demo: {', '.join(STORIES)}.", show_default="short"
        ),
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Place an order and follow it to its end.")
    ] = False,
    exit_after: Annotated[
        bool, typer.Option("--exit", help="Stop everything once that is done.")
    ] = False,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="PART,...", help=f"Start these parts only, of {', '.join(PARTS)}."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            help="Keeps everything between runs.",
            show_default=".dev in the project",
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Delete what earlier runs kept there.")
    ] = False,
    ports: Annotated[
        PortChoice, typer.Option(help="The well-known ports, or any that are free.")
    ] = PortChoice.known,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON line when everything is ready."),
    ] = False,
    traces: Annotated[
        bool,
        typer.Option("--traces", help="Take traces, and show them as text trees."),
    ] = False,
    observe: Annotated[
        bool,
        typer.Option(
            "--observe", help="Run Prometheus with our rules, where it is installed."
        ),
    ] = False,
    auth: Annotated[
        bool,
        typer.Option(
            "--auth", help="Run an issuer, and print an access token for each role."
        ),
    ] = False,
    encrypt: Annotated[
        bool,
        typer.Option(
            "--encrypt",
            help="Encrypt payloads, and run a codec server that the UI asks.",
        ),
    ] = False,
    reloads: Annotated[
        bool,
        typer.Option(
            "--reload",
            help="Start a service again when its code has changed. Data stays.",
        ),
    ] = False,
    seeded: Annotated[
        bool,
        typer.Option(
            "--seed-shop",
            help="Fill it with 200 products in three locations, and 500 orders in"
            " every state. Takes about a minute, once.",
        ),
    ] = False,
    carrier_step_seconds: Annotated[
        float, typer.Option(min=0.01, help="How long each scan of a parcel takes.")
    ] = 0.5,
) -> None:
    """Start the whole system on this machine: PostgreSQL, Temporal with its UI, a
    payment provider, a carrier and a mail sink to play with, and our own services:
    worker, API, deliverer of webhooks, console.

    Ctrl-C stops everything in order; a second one stops it at once.
    """
    options = Options(
        data=(data or _project() / ".dev").resolve(),
        ports=free_ports() if ports is PortChoice.auto else Ports(),
        parts=(
            *_parts(only),
            *_extras(traces=traces, observe=observe, auth=auth, encrypt=encrypt),
        ),
        project=_project(),
        fresh=fresh,
        carrier_step_seconds=carrier_step_seconds,
    )
    session = Session(
        options,
        story=_story(demo, story, only),
        seeded=_seeded(seeded, only),
        reloads=reloads,
        exit_after=exit_after,
        as_json=as_json,
    )
    raise typer.Exit(asyncio.run(session.run()))


class Session:
    """One run of `dev`, from the first line it prints to its exit status."""

    def __init__(
        self,
        options: Options,
        *,
        story: str | None,
        seeded: bool,
        reloads: bool,
        exit_after: bool,
        as_json: bool,
    ) -> None:
        self._options = options
        self._story = story
        self._seeded = seeded
        self._reloads = reloads
        self._exit_after = exit_after
        self._as_json = as_json
        self._display = Display(
            links(Addresses(options.ports)), options.parts, to_stderr=as_json
        )
        self._stack = Stack(options, self._display.changed)
        self._finds_data = (options.data / "lock").exists() and not options.fresh
        self._is_up = False
        self._outcome = 0
        self._signalled: signal.Signals | None = None
        self._signalled_at = 0.0

    async def run(self) -> int:
        """Returns the exit status."""
        with self._display:
            work = asyncio.create_task(self._work())
            self._listen_to_signals(work)
            try:
                return await work
            except asyncio.CancelledError:
                return self._status_when_told_to_stop()
            except PartFailed as problem:
                self._display.say(f"{problem}{self._about_old_data}")
            except (AlreadyRunning, SomebodyElses, PortTaken, NoPrometheus) as problem:
                self._display.say(str(problem))
            except PermissionError as problem:
                self._display.say(
                    f"{problem}. Was this data made by another user? Remove it as that"
                    " user, or choose another directory: uv run dev --data DIR"
                )
            except OSError as problem:
                self._display.say(
                    f"{problem}. Everything is kept in {self._options.data}; to keep it"
                    " elsewhere: uv run dev --data DIR"
                )
            return 1

    async def _work(self) -> int:
        async with self._stack:
            self._is_up = True
            if self._seeded:
                await self._seed()
            self._announce()
            if self._story is not None:
                await self._play(self._story)
            if self._reloads and not self._exit_after:
                await reload(self._stack, self._display.say)
            if not self._exit_after:
                await asyncio.Event().wait()
        return self._outcome

    async def _seed(self) -> None:
        try:
            await seed_shop(self._stack.at, self._display.say, self._auth_headers)
        except SeedFailed as problem:
            self._display.say(f"{problem}\nOnce more, it goes on where it is.")
            self._outcome = 1

    async def _play(self, story: str) -> None:
        logs = str(self._options.data / "logs")
        try:
            await play(
                story, self._stack.at, logs, self._display.say, self._auth_headers
            )
        except DemoFailed as problem:
            # Report it while everything still runs, which helps to look at it.
            self._display.say(str(problem))
            self._outcome = 1
        if "traces" in self._options.parts:
            self._display.say(await trace_of_an_order(self._stack.at))

    @property
    def _about_old_data(self) -> str:
        if not self._finds_data:
            return ""
        return (
            "\nIf it cannot use what another version has left in"
            f" {self._options.data}, forget that: uv run dev --fresh"
        )

    @property
    def _auth_headers(self) -> AuthHeaders:
        signer = self._stack.signer
        return by_header if signer is None else by_token(signer)

    def _announce(self) -> None:
        if self._as_json:
            print(json.dumps(self._stack.describe()), flush=True)
        elif "worker" not in self._options.parts or "api" not in self._options.parts:
            self._display.say(by_hand(self._stack))
        else:
            self._display.say(overview(self._stack.at, self._options))
        if not self._as_json and self._stack.signer is not None:
            self._display.say(access_tokens(self._stack.signer))

    def _listen_to_signals(self, work: asyncio.Task[int]) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._told_to_stop, number, work)

    def _told_to_stop(self, number: signal.Signals, work: asyncio.Task[int]) -> None:
        now = asyncio.get_running_loop().time()
        if number is signal.SIGHUP:
            # The terminal is gone, and writing to it would fail.
            self._display.mute()
        if self._signalled is None:
            self._signalled, self._signalled_at = number, now
            self._display.say("Stopping.")
            if not self._stack.is_stopping:
                work.cancel()
        elif now - self._signalled_at > _SAME_PRESS_SECONDS:
            self._display.say("Stopping now.")
            self._stack.kill_all()

    def _status_when_told_to_stop(self) -> int:
        """A running system ends by being asked to; any other end is a failure."""
        if self._is_up and not self._exit_after:
            return self._outcome
        return 128 + (self._signalled or signal.SIGINT)


def main() -> None:
    """The entry point of `uv run dev`."""
    app()


if __name__ == "__main__":
    main()
