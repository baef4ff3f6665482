"""A real API server on this machine, for tests: etcd and kube-apiserver, no nodes."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.deploy.rendering import Manifest, tool

TOKEN = "administrator"


@dataclass(frozen=True)
class ApiServer:
    port: int
    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """What an administrator's `KUBECONFIG` names."""
        return self.folder / "kubeconfig"

    def kubectl(
        self, *words: str, objects: list[Manifest] | None = None, text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [tool("kubectl"), f"--kubeconfig={self.kubeconfig}", *words],
            input=yaml.dump_all(objects, Dumper=yaml.CSafeDumper) if objects else text,
            capture_output=True,
            text=True,
            check=False,
        )

    def apply(self, objects: list[Manifest]) -> str:
        """Give the server these objects; what it said, warnings included."""
        words = ("apply", "--server-side", "--filename=-")
        done = self.kubectl(*words, objects=objects)
        assert done.returncode == 0, done.stderr
        return done.stderr


@contextlib.contextmanager
def api_server(folder: Path, *flags: str) -> Iterator[ApiServer]:
    """Start both processes, wait until they are ready, stop them at the end; `flags`
    are the API server's."""
    client, peer, secure = free_ports(3)
    (folder / "tokens.csv").write_text(f'{TOKEN},admin,1,"system:masters"\n')
    key = folder / "accounts.key"
    key.write_bytes(
        rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    etcd = [
        tool("etcd"),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls=http://127.0.0.1:{client}",
        f"--advertise-client-urls=http://127.0.0.1:{client}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-cluster=default=http://127.0.0.1:{peer}",
    ]
    server = [
        tool("kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{client}",
        "--bind-address=127.0.0.1",
        f"--secure-port={secure}",
        f"--cert-dir={folder / 'certs'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--service-cluster-ip-range=10.0.0.0/16",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        *_of_old_etcd(),
        *flags,
    ]
    with running(etcd, folder / "etcd.log"), running(server, folder / "server.log"):
        started = ApiServer(secure, folder)
        started.kubeconfig.write_text(yaml.safe_dump(_connection(secure)))
        _await_ready(started, folder / "server.log")
        yield started


def _of_old_etcd() -> list[str]:
    """Debian's etcd 3.4 does not say how far a watch has come."""
    said = subprocess.run(
        [tool("etcd"), "--version"], capture_output=True, text=True, check=True
    )
    return ["--feature-gates=WatchList=false"] if " 3.4." in said.stdout else []


def _connection(port: int) -> Manifest:
    cluster = {
        "server": f"https://127.0.0.1:{port}",
        "insecure-skip-tls-verify": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": {"token": TOKEN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }


@contextlib.contextmanager
def running(command: list[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process, killed at the end: all that it keeps is thrown away."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _await_ready(server: ApiServer, log: Path) -> None:
    deadline = time.monotonic() + 90
    # Starting kubectl paces the tries.
    while time.monotonic() < deadline:
        if server.kubectl("get", "--raw=/readyz").returncode == 0:
            return
    raise AssertionError(log.read_text()[-3000:])


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
