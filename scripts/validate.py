"""Looks whether an environment works, and says of all that does not what to do."""

import argparse
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from scripts import inside
from scripts.health import KINDS, last_backup, problem
from scripts.inside import Finding
from scripts.kubectl import (
    NO_CLUSTER,
    SYSTEMS,
    USAGE,
    WRONG,
    Object,
    in_git,
    items,
    kind_of,
    named,
    require_cluster,
    require_environment,
    resources,
    stop,
)

BACKED_UP_WITHIN = timedelta(hours=26)
BACKUP = ("postgresql.cnpg.io", "Backup")
TIMEOUT = 120
EVERY_SECONDS = 5
STATUS = f"""exit status: 0 all is well, {WRONG} something is wrong,
{USAGE} wrong usage, {NO_CLUSTER} no cluster"""


def main() -> int:
    arguments = _arguments()
    if arguments.dry_run:
        print(f"would look at every object of {', '.join(SYSTEMS)} and its health,")
        print("backups, schemas, Temporal's namespace and workers, and Prometheus")
        return 0
    require_cluster()
    return look(arguments.environment, arguments.timeout, arguments.probe_order)


def look(environment: str, timeout: float, sku: str | None = None) -> int:
    """Print all that is found; the exit status that it comes to."""
    found = [*_settled(environment, timeout), *inside.findings()]
    if sku:
        found += inside.order(sku)
    return _report(found)


def _report(found: list[Finding]) -> int:
    for each in found:
        print(f"{'WRONG' if each.wrong else 'ok   '} {each.what}")
        if each.wrong:
            print(f"      do: {each.todo}")
    wrong = sum(each.wrong for each in found)
    print(f"{wrong} wrong" if wrong else "all is well")
    return WRONG if wrong else 0


def _settled(environment: str, timeout: float) -> list[Finding]:
    """What is found once nothing is wrong any more, or the time is over."""
    wanted = in_git(environment)
    deadline = time.monotonic() + timeout
    while True:
        found = list(findings(wanted))
        if time.monotonic() > deadline or not any(each.wrong for each in found):
            return found
        time.sleep(EVERY_SECONDS)


def findings(wanted: list[Object]) -> Iterator[Finding]:
    """Of what should be there, and of what operators have made beside it."""
    found = _live(wanted)
    there = {_identity(thing) for thing in found}
    yield from _missing([w for w in wanted if _identity(w) not in there])
    ours = {w["metadata"]["name"] for w in wanted if w["kind"] == "Namespace"}
    asked = {_identity(thing) for thing in wanted}
    for thing in found:
        inside_ours = thing["metadata"].get("namespace") in ours
        if kind_of(thing) in KINDS and (inside_ours or _identity(thing) in asked):
            wrong = problem(thing)
            what = f"{named(thing)}: {wrong}" if wrong else named(thing)
            yield Finding(what, bool(wrong), _describe(thing))
    yield from _backups(wanted, found)


def _missing(missing: list[Object]) -> Iterator[Finding]:
    for thing in missing:
        yield Finding(f"{named(thing)} is missing", True, "scripts/deploy.sh")
    if not missing:
        yield Finding("everything in Git is in the cluster", False, "")


def _live(wanted: list[Object]) -> list[Object]:
    """All objects of the kinds that are wanted or that have a health."""
    known = resources()
    kinds = {kind_of(thing) for thing in wanted} | {
        kind for kind in known if kind in KINDS | {BACKUP}
    }
    asked = ",".join(sorted(known[kind] for kind in kinds if kind in known))
    return items(asked, "--all-namespaces")


def _identity(thing: Object) -> tuple[str, str, str, str]:
    metadata = thing["metadata"]
    return (*kind_of(thing), metadata.get("namespace", ""), metadata["name"])


def _describe(thing: Object) -> str:
    kind = ".".join(filter(None, (thing["kind"].lower(), kind_of(thing)[0])))
    metadata = thing["metadata"]
    where = metadata.get("namespace")
    end = f" --namespace {where}" if where else ""
    return f"kubectl describe {kind}/{metadata['name']}{end}"


def _backups(wanted: list[Object], found: list[Object]) -> Iterator[Finding]:
    made = [thing for thing in found if kind_of(thing) == BACKUP]
    for schedule in (thing for thing in wanted if thing["kind"] == "ScheduledBackup"):
        namespace = schedule["metadata"]["namespace"]
        cluster = schedule["spec"]["cluster"]["name"]
        last = last_backup(made, namespace, cluster)
        old = last is None or last < datetime.now(UTC) - BACKED_UP_WITHIN
        what = f"{namespace} {cluster} was backed up: {last or 'never'}"
        yield Finding(what, old, "docs/how-to/backup-and-restore.md")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/validate.sh",
        description=__doc__,
        epilog=f"{STATUS}. It only reads, and may run at any time.",
    )
    parser.add_argument("environment", help="development, staging or production")
    parser.add_argument(
        "--timeout",
        type=int,
        default=TIMEOUT,
        help="seconds that a rollout may still take",
    )
    parser.add_argument(
        "--probe-order",
        metavar="SKU",
        help="also place an order with the token in ORDERS_TOKEN, and cancel it",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what it looks at, and ask nobody"
    )
    arguments = parser.parse_args()
    require_environment(arguments.environment)
    if arguments.probe_order and not os.environ.get("ORDERS_TOKEN"):
        stop(USAGE, "validate: --probe-order needs ORDERS_TOKEN")
    if arguments.probe_order and arguments.environment == "production":
        stop(USAGE, "validate: no probe orders in production")
    return arguments


if __name__ == "__main__":
    raise SystemExit(main())
