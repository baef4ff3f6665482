"""`worker release`: which build begins new orders."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from shared.platform.settings import TemporalSettings, load_settings

from worker.releasing.builds import Build, Builds
from worker.releasing.problems import CannotTell, Refused
from worker.releasing.reaching import reaching
from worker.settings import VersioningSettings

DESCRIPTION = """\
Which build of the worker begins new orders. An order stays on the build it began on.

  worker release status                             who has what
  worker release ramp --build B 10 50 100 --pause 600
                                                    more every ten minutes, then all
  worker release current --build B                  all at once; also the first build
  worker release rollback                           back to where it was
  worker release restart --build B                  and take along what began on B

--deployment and --build stand for TEMPORAL_DEPLOYMENT_NAME and
TEMPORAL_WORKER_BUILD_ID, which the workers must have been started with. TEMPORAL_HOST
and its like lead to the server. Exit status: 0 done, 1 not done, 2 not understood or
nobody to ask.
"""
NOT_DONE = 1
NOBODY_TO_ASK = 2


class ReleaseSettings(TemporalSettings, VersioningSettings):
    """Where Temporal is, and what of it."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "release",
        help="which build begins new orders: make current, ramp, roll back",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    which = argparse.ArgumentParser(add_help=False)
    which.add_argument("--deployment", help="default: TEMPORAL_DEPLOYMENT_NAME")
    build = argparse.ArgumentParser(add_help=False, parents=[which])
    build.add_argument("--build", help="default: TEMPORAL_WORKER_BUILD_ID")
    actions.add_parser(
        "status", parents=[which], help="show every build and its orders"
    )
    actions.add_parser(
        "current", parents=[build], help="make all new orders begin on a build"
    )
    ramp = actions.add_parser(
        "ramp", parents=[build], help="make a share of the new orders begin on a build"
    )
    ramp.add_argument(
        "steps",
        nargs="+",
        type=percentage,
        metavar="PERCENT",
        help="one share after the other; 100 makes it current",
    )
    ramp.add_argument(
        "--pause",
        type=float,
        default=600,
        metavar="SECONDS",
        help="between steps (%(default)s). A step is not taken, and the ramp is taken"
        " back, when the build's orders are in trouble or its workers are gone",
    )
    back = actions.add_parser(
        "rollback",
        parents=[which],
        help="stop the ramp; without one, make the previous build current",
    )
    back.add_argument(
        "--to", metavar="BUILD", help="default: the one that was current before"
    )
    actions.add_parser(
        "restart",
        parents=[build],
        help="end what runs on an abandoned build; the sweep starts it again",
    )


def percentage(text: str) -> float:
    share = float(text)
    if not 0 < share <= 100:
        raise argparse.ArgumentTypeError("more than 0 and at most 100")
    return share


async def run(arguments: argparse.Namespace) -> int:
    settings = load_settings(ReleaseSettings)
    try:
        deployment = arguments.deployment or settings.temporal_deployment_name
        if deployment is None:
            raise CannotTell("Give --deployment, or set TEMPORAL_DEPLOYMENT_NAME.")
        async with reaching(settings) as client:
            await _do(arguments, settings, Builds(client, deployment))
    except Refused as why:
        print(why, file=sys.stderr)
        return NOT_DONE
    except CannotTell as why:
        print(why, file=sys.stderr)
        return NOBODY_TO_ASK
    return 0


async def _do(
    arguments: argparse.Namespace, settings: ReleaseSettings, builds: Builds
) -> None:
    match arguments.action:
        case "current":
            await builds.make_current(_build(arguments, settings))
        case "ramp":
            build = _build(arguments, settings)
            await ramp(builds, build, arguments.steps, arguments.pause)
        case "rollback":
            await roll_back(builds, arguments.to)
        case "restart":
            await restart(builds, _build(arguments, settings))
    await show(builds)


def _build(arguments: argparse.Namespace, settings: ReleaseSettings) -> str:
    build = arguments.build or settings.temporal_worker_build_id
    if build is None:
        raise CannotTell("Give --build, or set TEMPORAL_WORKER_BUILD_ID.")
    return str(build)


async def ramp(builds: Builds, id: str, steps: Sequence[float], pause: float) -> None:
    for n, share in enumerate(steps):
        if n:
            await asyncio.sleep(pause)
            await _go_on_or_back(builds, id)
        if share == 100:
            await builds.make_current(id)
        else:
            await builds.ramp(id, share)
        print(f"{id}: {share:g} % of new orders", flush=True)


async def _go_on_or_back(builds: Builds, id: str) -> None:
    build = await builds.one(id)
    troubled = build.troubled + await builds.stuck_at_their_start()
    if build.unpolled or troubled:
        await builds.stop_ramp()
        raise Refused(
            f"The ramp was taken back: {troubled} workflows fail;"
            f" task queues without workers: {', '.join(build.unpolled) or 'none'}."
        )


async def roll_back(builds: Builds, to: str | None) -> None:
    known = await builds.all()
    ramping = next((build for build in known if build.state == "ramping"), None)
    left = ramping or next((b for b in known if b.state == "current"), None)
    if left is None:
        raise Refused("No build is current or ramping: there is nothing to leave.")
    if ramping and to is None:
        await builds.stop_ramp()
    else:
        await builds.make_current(to or _before(left, known))
    if left.open:
        print(
            f"{left.open} workflows stay on build {left.id}: keep its workers, or"
            f" `worker release restart --build {left.id}`"
        )


async def restart(builds: Builds, id: str) -> None:
    build = await builds.one(id)
    if build.share:
        raise Refused(f"New orders begin on build {id}: roll back first.")
    ended = await builds.restart(id)
    print(f"ended {ended} workflows of build {id}; the sweep begins them anew")


def _before(current: Build, known: Sequence[Build]) -> str:
    others = {
        build.last_current: build.id
        for build in known
        if build.id != current.id and build.last_current is not None
    }
    if not others:
        raise Refused(
            f"No build was current before {current.id}. Start a worker of the code to"
            " go back to, and name its build with --to."
        )
    return others[max(others)]


async def show(builds: Builds) -> None:
    known = await builds.all()
    print(f"deployment {builds.deployment} in namespace {builds.client.namespace}")
    for build in known:
        print(
            f"  {build.id:<24} {build.state:<9} {build.share:>5g} %"
            f" {build.open:>7} open {build.troubled:>5} in trouble"
            + ("" if not build.unpolled else f"  no workers: {build.unpolled}")
        )
    if stuck := await builds.stuck_at_their_start():
        print(f"  {stuck} fail at their very start, on whatever build they were given")
    if not any(build.state == "current" for build in known):
        print("  no build is current: its versioned workers get no work")
