"""A cluster on this machine: the real control plane, and kwok for nodes and pods.

etcd, kube-apiserver, kube-controller-manager and kube-scheduler are Kubernetes' own, so
what is admitted, scheduled, evicted and rolled out is what a cluster would do. No
container runs: kwok says of each pod that it is ready, and of each job that it is done.
"""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tests.cluster import nodes
from tests.deploy.api_server import TOKEN, ApiServer, api_server, free_ports, running
from tests.deploy.rendering import Manifest

PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
    "kubectl",
)
SOON = 120.0
"""Seconds that anything may take which a controller has to notice first."""


@dataclass
class ControlPlane:
    server: ApiServer
    client: httpx2.Client
    zones: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    """What plays the nodes of each zone."""
    _kinds: dict[str, dict[str, str]] = field(default_factory=dict)

    def kubectl(self, *words: str, objects: list[Manifest] | None = None) -> str:
        """Its output. A command that fails is a failure of the test."""
        done = self.server.kubectl(*words, objects=objects)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout

    def items(self, *words: str) -> list[Manifest]:
        answer = json.loads(self.kubectl("get", *words, "--output=json"))
        found: list[Manifest] = answer.get("items", [answer])
        return found

    def request(self, method: str, path: str, body: Any = None) -> Manifest:
        """One call of the API, for what would take hundreds of starts of kubectl. What
        is not there is a `Status`."""
        kind = "merge-patch+json" if method == "PATCH" else "json"
        answer = self.client.request(
            method,
            path,
            content=json.dumps(body) if body is not None else None,
            headers={"Content-Type": f"application/{kind}"},
        )
        said: Manifest = answer.json()
        assert answer.is_success or answer.status_code == 404, (
            f"{method} {path}: {said['message']}"
        )
        return said

    def path(self, thing: Manifest) -> str:
        """Where the API has it."""
        metadata, version = thing["metadata"], thing["apiVersion"]
        start = f"/apis/{version}" if "/" in version else f"/api/{version}"
        where = metadata.get("namespace")
        middle = f"/namespaces/{where}" if where else ""
        return f"{start}{middle}/{self._plural(thing)}/{metadata['name']}"

    def _plural(self, thing: Manifest) -> str:
        version = thing["apiVersion"]
        if version not in self._kinds:
            start = f"/apis/{version}" if "/" in version else f"/api/{version}"
            known = self.request("GET", start)["resources"]
            self._kinds[version] = {
                r["kind"]: r["name"] for r in known if "/" not in r["name"]
            }
        return self._kinds[version][thing["kind"]]

    def run(self, folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
        """A script of the repository in `folder`, in front of this cluster."""
        return subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "KUBECONFIG": str(self.server.kubeconfig)},
            capture_output=True,
            text=True,
            check=False,
        )

    def lose(self, zone: str) -> None:
        """The nodes of a zone fall silent, as if its power were cut."""
        self.zones[zone].kill()
        self.zones[zone].wait()

        def noticed() -> list[str]:
            silent = self.items("nodes", f"--selector={nodes.ZONE}={zone}")
            return [n["metadata"]["name"] for n in silent if nodes.is_ready(n)]

        until_empty(noticed)


def until_empty(rest: Callable[[], list[Any]], seconds: float = SOON) -> None:
    """Wait until nothing is left to wait for."""
    deadline = time.monotonic() + seconds
    while left := rest():
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.5)


@contextlib.contextmanager
def control_plane(folder: Path, size: nodes.Size) -> Iterator[ControlPlane]:
    """Started with nodes of that size, and stopped at the end."""
    patience = (
        # A pod on a node that is silent is given up after seconds, not five minutes.
        "--default-not-ready-toleration-seconds=2",
        "--default-unreachable-toleration-seconds=2",
        "--kubelet-preferred-address-types=InternalIP",
    )
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(api_server(folder, *patience))
        client = httpx2.Client(
            base_url=f"https://127.0.0.1:{server.port}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            verify=False,
            timeout=30,
        )
        made = ControlPlane(server, stack.enter_context(client))
        for command in _controllers(server):
            log = folder / f"{Path(command[0]).name}.log"
            stack.enter_context(running(command, log))
        answers = nodes.answers(folder)
        path = f"{answers}:{os.environ['PATH']}"
        for zone, port in zip(nodes.ZONES, free_ports(len(nodes.ZONES)), strict=True):
            command = ["env", f"PATH={path}", *nodes.kwok(server, zone, port)]
            player = running(command, folder / f"kwok-{zone}.log")
            made.zones[zone] = stack.enter_context(player)
            made.kubectl("create", "--filename=-", objects=size.nodes(zone, port))
        yield made


def _controllers(server: ApiServer) -> list[list[str]]:
    ports = free_ports(2)
    common = [f"--kubeconfig={server.kubeconfig}", "--leader-elect=false"]
    manager = [
        "kube-controller-manager",
        *common,
        f"--secure-port={ports[0]}",
        f"--service-account-private-key-file={server.folder / 'accounts.key'}",
        # Nothing measures pods here, and what scales them is stood in for.
        "--controllers=*,-horizontal-pod-autoscaler-controller",
        "--node-monitor-period=1s",
        "--node-monitor-grace-period=15s",
        "--node-eviction-rate=10",
    ]
    return [manager, ["kube-scheduler", *common, f"--secure-port={ports[1]}"]]
