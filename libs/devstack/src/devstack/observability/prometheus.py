"""`dev --observe`: a real Prometheus with the rules that the clusters have."""

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx2
import yaml

from devstack.ports import HOST, Ports
from devstack.probe import answers
from devstack.subprocess import Command

RULES = "deploy/kustomize/base/monitoring/rules"
SCRAPE_SECONDS = 5


class NoPrometheus(Exception):
    """There is no Prometheus on this machine, or there are no rules for it."""


def prometheus(
    ports: Ports, data: Path, project: Path, *, http: httpx2.AsyncClient
) -> Command:
    """Scrapes what runs here under the job names of the clusters. Raises
    `NoPrometheus` where the binary is not on the PATH."""
    binary = shutil.which("prometheus")
    if binary is None:
        raise NoPrometheus(
            "--observe needs prometheus on the PATH; Debian and Ubuntu have it as"
            " the package prometheus, Homebrew too"
        )
    home = data / "prometheus"
    home.mkdir(exist_ok=True)
    (home / "rules.json").write_text(json.dumps(rules(project / RULES)))
    (home / "prometheus.json").write_text(json.dumps(_configuration(ports, home)))
    address = f"{HOST}:{ports.prometheus}"
    return Command(
        name="prometheus",
        argv=(
            *(binary, "--config.file", str(home / "prometheus.json")),
            *("--storage.tsdb.path", str(home / "tsdb")),
            *("--web.listen-address", address),
        ),
        environment=dict(os.environ),
        log=data / "logs" / "prometheus.log",
        ready=lambda: answers(http, f"http://{address}/-/ready"),
    )


def rules(directory: Path) -> dict[str, list[dict[str, Any]]]:
    """The groups of every PrometheusRule in `directory`, as Prometheus reads them."""
    found = [
        group
        for file in sorted(directory.glob("prometheusrule-*.yaml"))
        for group in yaml.safe_load(file.read_text())["spec"]["groups"]
    ]
    if not found:
        raise NoPrometheus(f"there are no rules in {directory}")
    return {"groups": found}


def _configuration(ports: Ports, home: Path) -> dict[str, object]:
    # JSON is YAML too.
    return {
        "global": {"scrape_interval": f"{SCRAPE_SECONDS}s"},
        "rule_files": [str(home / "rules.json")],
        "scrape_configs": list(
            _jobs(
                ("temporal-server", ports.temporal_metrics),
                ("temporal-worker", ports.worker),
                ("webhook-deliverer", ports.deliverer),
                ("fastapi-service", ports.api_metrics),
            )
        ),
    }


def _jobs(*jobs: tuple[str, int]) -> Iterable[dict[str, object]]:
    for name, port in jobs:
        yield {
            "job_name": name,
            "honor_labels": True,
            "static_configs": [{"targets": [f"{HOST}:{port}"]}],
        }
