"""The charts of an environment: installs them without Argo CD, or compares those of the
registry with the table in deploy/argocd/README.md. Needs helm."""

import argparse
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from scripts.kubectl import ROOT, WRONG, Object, objects_in, rendered, stop

ROW = re.compile(r"^\| `([\w-]+)` \| (\S+) \| (\S+) \|", re.MULTILINE)
REGISTRY = "jfrog.example.com/helm-remote"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m scripts.charts")
    parser.add_argument("action", choices=["install", "compare"])
    parser.add_argument("environment")
    parser.add_argument("--registry", default=REGISTRY, help="where charts are, as OCI")
    arguments = parser.parse_args()
    act = _install if arguments.action == "install" else _compare
    for application in applications(arguments.environment):
        act(application, f"oci://{arguments.registry}")
    return 0


def applications(environment: str) -> Iterator[Object]:
    """Those that install a chart, in the order in which Argo CD would."""
    made = objects_in(rendered(f"deploy/argocd/applications/{environment}"))
    charts = [m for m in made if "chart" in m.get("spec", {}).get("source", {})]
    yield from sorted(charts, key=_wave)


def _wave(application: Object) -> int:
    return int(application["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])


def _install(application: Object, registry: str) -> None:
    source = application["spec"]["source"]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as values:
        json.dump(source["helm"]["valuesObject"], values)
        values.flush()
        _helm(
            *("upgrade", "--install", application["metadata"]["name"]),
            *(f"{registry}/{source['chart']}", "--version", source["targetRevision"]),
            *("--namespace", application["spec"]["destination"]["namespace"]),
            *("--create-namespace", "--values", values.name),
        )


def _compare(application: Object, registry: str) -> None:
    """The app's version in the table is the one that the chart itself names."""
    source = application["spec"]["source"]
    chart, version = source["chart"], source["targetRevision"]
    said = _helm("show", "chart", f"{registry}/{chart}", "--version", version)
    found = dict(re.findall(r"^(\w+): [\"']?(.*?)[\"']?$", said, re.MULTILINE))
    row = {name: (own, app) for name, own, app in table()}[chart]
    shown = (found.get("version", ""), found.get("appVersion", ""))
    if [v.removeprefix("v") for v in shown] != [v.removeprefix("v") for v in row]:
        stop(WRONG, f"{chart}: the registry has {shown}, the table {row}")
    print(f"{chart} {version} installs {row[1]}")


def table() -> list[tuple[str, str, str]]:
    """Chart, its version, and the version of what it installs."""
    return ROW.findall((ROOT / Path("deploy/argocd/README.md")).read_text())


def _helm(*words: str) -> str:
    done = subprocess.run(["helm", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        stop(WRONG, f"helm {' '.join(words[:4])}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main())
