"""Production on one machine: TLS everywhere, tokens for everything, one order."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from devstack.auth_headers import by_token
from devstack.demo import Stage, short
from devstack.issuer.app import Issuer, issuer_app
from devstack.issuer.people import Account
from devstack.issuer.signer import Signer
from fastapi import FastAPI
from pydantic import SecretStr
from shared.platform.connection import REFUSED, Connection
from shared.platform.settings import TemporalSettings
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    ListNamespacesRequest,
)
from temporalio.client import Client, TLSConfig
from temporalio.service import RPCError, RPCStatusCode

from tests.platform.test_connection import until_trouble
from tests.support.peers import Host
from tests.support.postgresql import with_tls
from tests.topology.system import (
    AUDIENCE,
    DOMAIN,
    NAMESPACE,
    PERMISSIONS,
    Production,
    Programs,
    product_tls,
    production,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HOW_TO = "docs/how-to/production-topology.md"
READ_ONLY = [f"{NAMESPACE}:read"]


@pytest.fixture(scope="module")
async def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Production]:
    programs = Programs.find()
    if programs is None:
        pytest.skip(f"temporal-server and temporal-sql-tool are not on PATH: {HOW_TO}")
    if with_tls() is None:
        pytest.skip(f"there is no PostgreSQL with TLS: {HOW_TO}")
    async with production(programs, tmp_path_factory.mktemp("production")) as running:
        yield running


def files(running: Production, whose: str) -> TLSConfig:
    folder = running.certificates / whose
    return TLSConfig(
        server_root_ca_cert=(running.certificates / "internode/ca.crt").read_bytes(),
        client_cert=(folder / "tls.crt").read_bytes(),
        client_private_key=(folder / "tls.key").read_bytes(),
        domain=f"temporal-internode.{DOMAIN}",
    )


def trusted(running: Production) -> bytes:
    return (running.certificates / "product/ca.crt").read_bytes()


async def calling(running: Production, token: str | None) -> Client:
    """At the frontend, as worker and API reach it."""
    return await Client.connect(
        running.frontend,
        namespace=NAMESPACE,
        api_key=token,
        tls=TLSConfig(
            server_root_ca_cert=trusted(running), domain=f"temporal-frontend.{DOMAIN}"
        ),
    )


def token(running: Production, audience: str = AUDIENCE, **claims: Any) -> str:
    usual = {"permissions": PERMISSIONS}
    return running.signer.token("somebody", audience, **(usual | claims))


async def test_an_order_goes_from_placement_to_delivery(running: Production) -> None:
    told: list[str] = []
    stack = running.stack
    async with httpx2.AsyncClient(
        base_url=stack.at.api, trust_env=False, timeout=30
    ) as http:
        ready = (await http.get("/ready")).json()
        auth_headers = by_token(running.signer)
        await short(
            Stage(
                at=stack.at,
                http=http,
                say=told.append,
                logs="",
                auth_headers=auth_headers,
            )
        )
    assert ready["temporal"] == "reachable"
    assert any("is completed" in line for line in told)


async def test_nobody_calls_without_a_token(running: Production) -> None:
    client = await calling(running, None)
    assert await refusal(start(client)) is RPCStatusCode.PERMISSION_DENIED


async def test_who_may_read_starts_nothing(running: Production) -> None:
    client = await calling(running, token(running, permissions=READ_ONLY))
    await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=NAMESPACE)
    )
    assert await refusal(start(client)) is RPCStatusCode.PERMISSION_DENIED


async def test_a_product_is_confined_to_its_namespace(running: Production) -> None:
    client = await calling(running, token(running))
    listing = client.workflow_service.list_namespaces(ListNamespacesRequest())
    assert await refusal(listing) is RPCStatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("kind", ["another audience", "expired", "another issuer"])
async def test_a_token_that_is_not_meant_for_it_is_refused(
    running: Production, kind: str
) -> None:
    values = {
        "another audience": token(running, "orders"),
        "expired": token(running, lives=timedelta(minutes=-5)),
        "another issuer": Signer("http://evil/").token(
            "somebody", AUDIENCE, permissions=PERMISSIONS
        ),
    }
    with pytest.raises(RuntimeError, match=r"Unauthenticated|PermissionDenied|unauth"):
        await calling(running, values[kind])


async def test_a_product_s_certificate_does_not_open_the_inner_door(
    running: Production,
) -> None:
    """Whoever is let in there is a cluster administrator."""
    with pytest.raises(RuntimeError, match="connect"):
        await Client.connect(running.internal_frontend, tls=files(running, "product"))
    inside = await Client.connect(
        running.internal_frontend, tls=files(running, "internode")
    )
    known = await inside.workflow_service.list_namespaces(ListNamespacesRequest())
    assert NAMESPACE in {n.namespace_info.name for n in known.namespaces}


async def test_a_token_that_has_ended_heals(running: Production, host: Host) -> None:
    """The same issuer, which gives tokens that end soon and is away for a while."""
    account = Account("secret", AUDIENCE, {"permissions": PERMISSIONS})
    issuer = Issuer(running.signer, {"somebody": account}, timedelta(seconds=3))
    async with host.peer(issuer_app(issuer), "topology-issuer") as peer:
        tls = product_tls(running.certificates)
        given: dict[str, Any] = {name.lower(): value for name, value in tls.items()}
        settings = TemporalSettings(
            **given,
            temporal_host=running.frontend,
            temporal_namespace=NAMESPACE,
            temporal_oidc_token_url=f"{peer.url}/token",
            temporal_oidc_client_id="somebody",
            temporal_oidc_client_secret=SecretStr("secret"),
        )
        connection = await Connection(settings).open()
        try:
            assert await connection.trouble(10) is None
            with peer.replaced_by(FastAPI()):
                await until_trouble(connection, REFUSED)
            await until_trouble(connection, None)
        finally:
            await connection.close()


async def start(client: Client) -> None:
    await client.start_workflow("Order", id="never", task_queue="nobody")


async def refusal(call: Any) -> RPCStatusCode:
    with pytest.raises(RPCError) as refused:
        await call
    return refused.value.status
