"""A client of Temporal that stays good: tokens end, keys and certificates change."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from devstack.issuer.app import Issuer, issuer_app
from devstack.issuer.people import Account
from devstack.issuer.signer import Signer
from fastapi import FastAPI
from pydantic import SecretStr, ValidationError
from shared.platform.connection import (
    IS_REFUSED,
    REFUSED,
    TOKEN_FAILURES,
    Connection,
)
from shared.platform.settings import TemporalSettings
from temporalio.client import Client
from worker.settings import WorkerSettings

from tests.conftest import NOWHERE, MakeWorkerSettings
from tests.platform.test_worker_service import free_port, running
from tests.releases.commands import worker_process
from tests.support.certificates import Authority
from tests.support.infrastructure import Services
from tests.support.keys import K1
from tests.support.peers import Host, Peer
from tests.support.shop import Shop
from tests.support.temporal_auth_proxy import AUDIENCE, TemporalAuthProxy, standing

PATIENCE_SECONDS = 30
SOON = timedelta(seconds=3)
LATER = timedelta(hours=1)


@pytest.fixture
async def issuer(host: Host, tmp_path: Path) -> AsyncIterator[tuple[Issuer, Peer]]:
    name = f"{tmp_path.name}-issuer"
    accounts = {"worker": Account("secret", AUDIENCE, {"permissions": ["x:write"]})}
    issuer = Issuer(Signer(f"{host.url}/{name}/"), accounts, LATER)
    async with host.peer(issuer_app(issuer), name) as peer:
        yield issuer, peer


@pytest.fixture
async def auth_proxy(
    issuer: tuple[Issuer, Peer], services: Services, certificates: Path
) -> AsyncIterator[TemporalAuthProxy]:
    pair = Authority("first").issue("localhost")
    pair.write(certificates)
    async with standing(services.temporal, issuer[0].signer, pair) as auth_proxy:
        yield auth_proxy


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    return tmp_path / "certificates"


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "client-secret"
    path.write_text("secret\n")
    return path


@pytest.fixture
def rotate_secret(secret_file: Path) -> Callable[[str], object]:
    return secret_file.write_text


@pytest.fixture
def access(
    issuer: tuple[Issuer, Peer],
    auth_proxy: TemporalAuthProxy,
    temporal: Client,
    certificates: Path,
    secret_file: Path,
) -> dict[str, Any]:
    """The settings of whoever has all that it takes."""
    return {
        "temporal_host": auth_proxy.address,
        "temporal_namespace": temporal.namespace,
        "temporal_tls_server_ca_cert_path": certificates / "ca.crt",
        "temporal_oidc_token_url": f"{issuer[1].url}/token",
        "temporal_oidc_client_id": "worker",
        "temporal_oidc_client_secret_file": secret_file,
    }


@asynccontextmanager
async def connected(
    access: dict[str, Any], *, lazy: bool = False
) -> AsyncIterator[Connection]:
    connection = Connection(TemporalSettings(**access), lazy=lazy, files_seconds=0.05)
    try:
        yield await connection.open()
    finally:
        await connection.close()


async def until(wanted: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        # Probes ask; nobody tells them.
        while not await wanted():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def until_trouble(connection: Connection, trouble: str | None) -> None:
    async def is_so() -> bool:
        return await connection.trouble(5) == trouble

    await until(is_so)


async def test_a_token_is_renewed_before_it_ends(
    issuer: tuple[Issuer, Peer], auth_proxy: TemporalAuthProxy, access: dict[str, Any]
) -> None:
    # Two seconds of it are left when the next one is asked for.
    issuer[0].lives = timedelta(seconds=6)
    seen: set[str | None] = set()

    async def another_is_used() -> bool:
        assert await connection.trouble(5) is None
        seen.add(connection.client.api_key)
        return len(seen) == 2

    async with connected(access) as connection:
        await until(another_is_used)
    assert auth_proxy.refusals == 0


@pytest.mark.parametrize("lazy", [False, True])
async def test_a_token_that_ended_while_the_issuer_was_away_is_replaced(
    issuer: tuple[Issuer, Peer], access: dict[str, Any], lazy: bool
) -> None:
    issuer[0].lives = SOON
    async with connected(access, lazy=lazy) as connection:
        await until_trouble(connection, None)
        before = TOKEN_FAILURES._value.get()
        with out_of_service(issuer[1]):
            await until_trouble(connection, REFUSED)
            assert IS_REFUSED._value.get() == 1
            assert TOKEN_FAILURES._value.get() > before
        await until_trouble(connection, None)
    assert IS_REFUSED._value.get() == 0


async def test_a_command_of_the_worker_proves_who_it_is(
    access: dict[str, Any],
) -> None:
    environment = {name.upper(): str(value) for name, value in access.items()}
    ended = await worker_process("replay", "--live", **environment)
    # It was let in. What other tests left in the namespace may not replay here.
    assert " replayed" in ended.said, ended.said


async def test_a_token_that_is_refused_is_replaced_long_before_its_end(
    issuer: tuple[Issuer, Peer], auth_proxy: TemporalAuthProxy, access: dict[str, Any]
) -> None:
    async with connected(access) as connection:
        assert await connection.trouble(5) is None
        issuer[0].signer = auth_proxy.signer = Signer(auth_proxy.signer.issuer)
        assert await connection.trouble(5) == REFUSED
        await until_trouble(connection, None)


async def test_a_secret_that_was_rotated_is_read_from_its_file(
    issuer: tuple[Issuer, Peer],
    auth_proxy: TemporalAuthProxy,
    access: dict[str, Any],
    rotate_secret: Callable[[str], object],
) -> None:
    async with connected(access) as connection:
        issuer[0].accounts["worker"] = Account("another", AUDIENCE, {})
        issuer[0].signer = auth_proxy.signer = Signer(auth_proxy.signer.issuer)
        await until_trouble(connection, REFUSED)
        rotate_secret("another")
        await until_trouble(connection, None)


async def test_a_gateway_opens_while_temporal_and_the_issuer_are_down(
    issuer: tuple[Issuer, Peer], access: dict[str, Any]
) -> None:
    with out_of_service(issuer[1]):
        async with connected(access, lazy=True) as connection:
            assert await connection.trouble(5) == REFUSED
        nowhere = access | {"temporal_host": NOWHERE}
        async with connected(nowhere, lazy=True) as connection:
            assert str(await connection.trouble(5)).startswith("no answer")


async def test_a_worker_waits_for_the_issuer(
    issuer: tuple[Issuer, Peer], access: dict[str, Any]
) -> None:
    with out_of_service(issuer[1]):
        connection = Connection(TemporalSettings(**access))
        opening = asyncio.create_task(connection.open())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(opening), 0.5)
    await opening
    assert await connection.trouble(5) is None
    await connection.close()


async def test_a_new_authority_is_trusted_once_its_file_says_so(
    auth_proxy: TemporalAuthProxy, access: dict[str, Any], certificates: Path
) -> None:
    told: list[Client] = []
    async with connected(access) as connection:
        connection.on_replaced(told.append)
        first = connection.client
        renewed = await change_authority(auth_proxy)
        assert await connection.trouble(5) is not None
        (certificates / "ca.crt").write_bytes(b"half a certif")
        (certificates / "ca.crt").write_bytes(renewed)
        await until_trouble(connection, None)
        assert told == [connection.client]
        assert connection.client is not first


async def test_a_certificate_of_ours_is_shown_and_the_server_s_name_is_checked(
    auth_proxy: TemporalAuthProxy, access: dict[str, Any], certificates: Path
) -> None:
    name = "temporal.example.com"
    server, first, second = (Authority(a).issue(name) for a in ("server", "a", "b"))
    server.write(certificates)
    own = certificates / "own"
    first.write(own)
    paths = {
        "temporal_tls_client_cert_path": own / "tls.crt",
        "temporal_tls_client_key_path": own / "tls.key",
    }
    await auth_proxy.leave()
    await auth_proxy.stand(server, clients=first.authority)
    named = access | {"temporal_tls_server_name": name}
    for lacking in (named, access | paths):
        async with connected(lacking, lazy=True) as connection:
            assert await connection.trouble(5) is not None
    async with connected(named | paths) as connection:
        assert await connection.trouble(5) is None
        await auth_proxy.leave()
        await auth_proxy.stand(server, clients=second.authority)
        second.write(own)
        await until_trouble(connection, None)


async def test_certificates_that_do_not_work_replace_none_that_do(
    access: dict[str, Any], certificates: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def was_tried() -> bool:
        assert await connection.trouble(5) is None
        return "the new certificates do not work" in caplog.text

    async with connected(access) as connection:
        first = connection.client
        (certificates / "ca.crt").write_bytes(Authority("stranger").certificate)
        await until(was_tried)
        assert connection.client is first


async def test_a_file_that_is_spoiled_does_not_end_the_watch(
    access: dict[str, Any],
    certificates: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    authority, keys = certificates / "ca.crt", tmp_path / "payload-keys"
    keys.write_text(K1)

    async def was_tried() -> bool:
        return "the new certificates do not work" in caplog.text

    async def is_replaced() -> bool:
        return connection.client is not first

    async with connected(access | {"temporal_payload_keys_file": keys}) as connection:
        first = connection.client
        keys.write_text("half a k")
        authority.write_bytes(authority.read_bytes() + b"\n")
        await until(was_tried)
        keys.write_text(K1)
        await until(is_replaced)


async def test_a_secret_that_is_spoiled_does_not_end_the_renewal(
    issuer: tuple[Issuer, Peer],
    auth_proxy: TemporalAuthProxy,
    access: dict[str, Any],
    rotate_secret: Callable[..., object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def was_tried() -> bool:
        await connection.trouble(5)
        return "no new token for Temporal" in caplog.text

    async with connected(access) as connection:
        rotate_secret("no text: \xff", encoding="latin-1")
        issuer[0].signer = auth_proxy.signer = Signer(auth_proxy.signer.issuer)
        await until(was_tried)
        rotate_secret("secret")
        await until_trouble(connection, None)


async def change_authority(auth_proxy: TemporalAuthProxy) -> bytes:
    """The server comes back with a certificate that nobody trusts yet."""
    pair = Authority("second").issue("localhost")
    await auth_proxy.leave()
    await auth_proxy.stand(pair)
    return pair.authority


@pytest.fixture
def settings(
    worker_settings: MakeWorkerSettings, access: dict[str, Any]
) -> WorkerSettings:
    return worker_settings(**access, metrics_host="127.0.0.1", metrics_port=free_port())


async def test_a_worker_goes_on_with_the_next_token_and_the_next_authority(
    settings: WorkerSettings,
    issuer: tuple[Issuer, Peer],
    auth_proxy: TemporalAuthProxy,
    closed_shop: Shop,
    certificates: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.platform.connection.FILES_SECONDS", 0.05)
    issuer[0].lives = SOON
    async with running(settings) as worker:
        await worker.until({})
        await closed_shop.confirmed(TEA=1)
        with out_of_service(issuer[1]):
            await worker.until({"temporal": REFUSED})
            page = (await worker.http.get("/metrics")).text
            assert "access_refused 1.0" in page
        (certificates / "ca.crt").write_bytes(await change_authority(auth_proxy))
        await worker.until({})
        await closed_shop.confirmed(TEA=1)
        assert await worker.end() == 0


def out_of_service(peer: Peer) -> Any:
    """The issuer answers nobody, until the block is left."""
    return peer.replaced_by(FastAPI())


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"temporal_oidc_client_id": None}, "needs TEMPORAL_OIDC_CLIENT_ID"),
        ({"temporal_oidc_client_secret_file": None}, "and one of"),
        ({"temporal_oidc_client_secret": SecretStr("x")}, "and one of"),
        ({"temporal_api_key": SecretStr("x")}, "exclude each other"),
        ({"temporal_oidc_token_url": "http://id.example.com/t"}, "https://"),
    ],
)
def test_incomplete_settings_for_a_token_are_refused(
    changed: dict[str, Any], complaint: str
) -> None:
    whole: dict[str, Any] = {
        "temporal_oidc_token_url": "https://id.example.com/token",
        "temporal_oidc_client_id": "worker",
        "temporal_oidc_client_secret_file": Path("secret"),
    }
    TemporalSettings(**whole)
    with pytest.raises(ValidationError, match=complaint):
        TemporalSettings(**(whole | changed))
