"""The nodes, and what kwok plays on them."""

from dataclasses import dataclass
from pathlib import Path

from tests.deploy.api_server import ApiServer
from tests.deploy.rendering import Manifest

ZONE = "topology.kubernetes.io/zone"
ZONES = ("zone-a", "zone-b", "zone-c")


@dataclass(frozen=True)
class Size:
    """Of each zone: how many nodes, and what each has."""

    count: int
    cores: float
    memory_gib: float

    def nodes(self, zone: str, port: int) -> list[Manifest]:
        return [self._node(f"{zone}-{n}", zone, port) for n in range(self.count)]

    def _node(self, name: str, zone: str, port: int) -> Manifest:
        room = {
            "cpu": f"{round(self.cores * 1000)}m",
            "memory": f"{round(self.memory_gib * 1024)}Mi",
            "ephemeral-storage": "100Gi",
            "pods": "110",
        }
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "labels": {
                    ZONE: zone,
                    "kubernetes.io/hostname": name,
                    "kubernetes.io/os": "linux",
                },
            },
            "status": {
                "allocatable": room,
                "capacity": room,
                # The API server asks kwok for logs, and to run a command.
                "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            },
        }


SIZES = {
    # As docs/deployment.md has them: 8 cores and 16 GB; 48 cores and 144 GB.
    "development": Size(1, 8 / 3, 16 / 3),
    "staging": Size(2, 8, 24),
    "production": Size(2, 8, 24),
}


def is_ready(node: Manifest) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def kwok(server: ApiServer, zone: str, port: int) -> list[str]:
    """The command that plays the nodes of one zone, as their kubelets' port."""
    return [
        "kwok",
        f"--kubeconfig={server.kubeconfig}",
        f"--config={Path(__file__).with_name('kwok.yaml')}",
        f"--manage-nodes-with-label-selector={ZONE}={zone}",
        f"--server-address=127.0.0.1:{port}",
        "--node-lease-duration-seconds=8",
    ]


def answers(folder: Path) -> Path:
    """A folder of the programs that scripts and how-tos run in containers."""
    made = folder / "answers"
    made.mkdir()
    for name in ("psql", "temporal", "promtool", "python"):
        (made / name).symlink_to(Path(__file__).with_name("answers.sh"))
    return made
