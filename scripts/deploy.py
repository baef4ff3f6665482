"""Brings an environment to what is in Git: applies the projects and its root
Application, and waits until every system is healthy at the branch's newest commit."""

import argparse
import sys
from pathlib import Path

from scripts import dry_run, validate
from scripts.applications import Wanted, commit
from scripts.cluster import missing
from scripts.kubectl import (
    NO_CLUSTER,
    ROOT,
    SYSTEMS,
    USAGE,
    WRONG,
    kubectl,
    objects_in,
    overlay,
    rendered,
    require_cluster,
    require_environment,
    stop,
)

STATUS = f"""exit status: 0 done, {WRONG} something is missing, refused or not healthy,
{USAGE} wrong usage, {NO_CLUSTER} no cluster"""


def main() -> int:
    arguments = _arguments()
    if arguments.render:
        return _render(arguments.environment, Path(arguments.render))
    require_cluster()
    if kubectl("get", "namespace", "argocd").returncode != 0:
        stop(NO_CLUSTER, "Argo CD is not installed; docs/deployment.md says how")
    lacking = missing(arguments.environment)
    for line in lacking:
        print(f"the cluster lacks {line}", file=sys.stderr)
    if arguments.dry_run:
        return 0 if dry_run.report(arguments.environment) and not lacking else WRONG
    if lacking:
        return WRONG
    return _deploy(arguments.environment, arguments.timeout)


def _deploy(environment: str, timeout: float) -> int:
    root = f"deploy/argocd/root/{environment}.yaml"
    (application,) = objects_in((ROOT / root).read_text())
    newest = commit(application["spec"]["source"]["targetRevision"])
    # Not from the branch that it follows: who moves that must not widen what it may.
    _apply("--kustomize=deploy/argocd/project")
    _apply(f"--filename={root}")
    Wanted("root", newest, timeout).refresh()
    for name in (*SYSTEMS, "root"):
        print(f"waiting for {name}")
        Wanted(name, newest, timeout).arrive()
    return validate.look(environment, min(timeout, validate.TIMEOUT))


def _apply(what: str) -> None:
    done = kubectl("apply", "--server-side", "--force-conflicts", what)
    print(done.stdout, end="")
    if done.returncode != 0:
        stop(WRONG, done.stderr)


def _render(environment: str, directory: Path) -> int:
    """The manifests as a release publishes them; needs no cluster."""
    for system in SYSTEMS:
        folder = overlay(environment, system)
        file = ROOT / directory / folder / "manifests.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(rendered(folder))
        print(directory / folder / "manifests.yaml")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/deploy.sh",
        description=__doc__,
        epilog=f"{STATUS}. Safe to repeat. kubectl's context decides the cluster.",
    )
    parser.add_argument("environment", help="development, staging or production")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="ask the API server what would change, and change nothing",
    )
    parser.add_argument(
        "--render",
        metavar="DIRECTORY",
        help="write the manifests as a release publishes them; needs no cluster",
    )
    parser.add_argument(
        "--timeout", type=int, default=900, help="seconds for each Application (900)"
    )
    arguments = parser.parse_args()
    require_environment(arguments.environment)
    return arguments


if __name__ == "__main__":
    raise SystemExit(main())
