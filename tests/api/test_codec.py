"""The codec server: who sees what is in payloads, and by which way."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from api.codec import LARGEST_BODY, create_codec
from api.settings import CodecSettings
from devstack.issuer.app import Issuer, issuer_app
from devstack.issuer.people import ROLES, people
from devstack.issuer.signer import A_DAY_OF_WORK, Signer
from devstack.temporal import temporal_binary
from google.protobuf import json_format
from pydantic import SecretStr, ValidationError
from shared.platform.encryption import data_converter
from temporalio.api.common.v1 import Payloads
from temporalio.client import Client

from tests.api.conftest import running
from tests.api.serving import serving
from tests.api.test_connections import connected, is_problem
from tests.support.keys import K1, K2, key_ring
from tests.support.peers import Host

UI = "https://temporal-ui.example.com"
OURS = data_converter(key_ring(K1, active="k1"))


@pytest.fixture
async def signer(host: Host, tmp_path: Path) -> AsyncIterator[Signer]:
    name = f"{tmp_path.name}-issuer"
    signer = Signer(f"{host.url}/{name}/")
    app = issuer_app(Issuer(signer, people(), A_DAY_OF_WORK))
    async with host.peer(app, name):
        yield signer


def settings(signer: Signer, **changed: Any) -> CodecSettings:
    values: dict[str, Any] = {
        "temporal_payload_keys": SecretStr(K1),
        "temporal_ui_url": f"{UI}/namespaces",
        "oidc_issuer": signer.issuer,
        "oidc_audience": "orders",
    }
    return CodecSettings(**(values | changed))


@pytest.fixture
async def codec(signer: Signer) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(create_codec(settings(signer))) as client:
        yield client


def as_role(signer: Signer, role: str, audience: str = "orders") -> dict[str, str]:
    token = signer.token(role, audience, scope=ROLES[role])
    return {"authorization": f"Bearer {token}"}


async def sealed(*values: object) -> str:
    payloads = Payloads(payloads=await OURS.encode(values))
    return json_format.MessageToJson(payloads)


def opened(answer: httpx2.Response) -> list[object]:
    payloads = json_format.Parse(answer.text, Payloads()).payloads
    return [json.loads(payload.data) for payload in payloads]


async def test_a_page_of_a_history_has_only_so_many_payloads(
    codec: httpx2.AsyncClient, signer: Signer
) -> None:
    body = json.dumps({"payloads": [{}] * 200_000})
    answer = await codec.post(
        "/decode", content=body, headers=as_role(signer, "support")
    )
    assert answer.status_code == 413


async def test_nothing_leads_to_where_the_host_header_says(
    codec: httpx2.AsyncClient,
) -> None:
    answer = await codec.post("/decode/", headers={"Host": "evil.example"})
    assert answer.status_code == 404


async def test_whoever_works_on_orders_sees_what_payloads_hold(
    codec: httpx2.AsyncClient, signer: Signer
) -> None:
    body = await sealed({"order_id": "ord_1"}, 2)
    for role in ("support", "admin"):
        headers = as_role(signer, role) | {"x-namespace": "default"}
        answer = await codec.post("/decode", content=body, headers=headers)
        assert answer.status_code == 200
        assert opened(answer) == [{"order_id": "ord_1"}, 2]


async def test_nobody_else_sees_what_payloads_hold(
    codec: httpx2.AsyncClient, signer: Signer
) -> None:
    body = await sealed("secret")
    expected = {
        401: [{}, as_role(signer, "support", audience="temporal")],
        403: [as_role(signer, role) for role in ("anna", "warehouse", "storefront")],
    }
    for status, callers in expected.items():
        for headers in callers:
            answer = await codec.post("/decode", content=body, headers=headers)
            assert answer.status_code == status


async def test_it_only_decodes_and_only_its_own_namespace(
    codec: httpx2.AsyncClient, signer: Signer
) -> None:
    headers, body = as_role(signer, "admin"), await sealed("secret")
    assert (await codec.post("/encode", content=body, headers=headers)).is_error
    others = headers | {"x-namespace": "payroll"}
    answer = await codec.post("/decode", content=body, headers=others)
    assert answer.status_code == 404


async def test_browsers_may_ask_from_the_ui_alone(codec: httpx2.AsyncClient) -> None:
    for origin, allowed in ((UI, UI), ("https://evil.example.com", None)):
        answer = await codec.options(
            "/decode",
            headers={
                "origin": origin,
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization,x-namespace",
            },
        )
        assert answer.headers.get("access-control-allow-origin") == allowed


async def test_a_payload_that_no_key_opens_stays_as_it_is_beside_the_rest(
    codec: httpx2.AsyncClient, signer: Signer
) -> None:
    foreign = data_converter(key_ring(K2, active="k2"))
    both = [*await foreign.encode(["theirs"]), *await OURS.encode(["ours"])]
    answer = await codec.post(
        "/decode",
        content=json_format.MessageToJson(Payloads(payloads=both)),
        headers=as_role(signer, "admin"),
    )
    shown = json_format.Parse(answer.text, Payloads()).payloads
    assert [shown[0], json.loads(shown[1].data)] == [both[0], "ours"]


@pytest.mark.parametrize(
    "body", ["", "{", '"ord_1"', '{"payloads": [{"data": 1}]}', "[" * 100_000]
)
async def test_a_body_without_payloads_is_malformed(
    codec: httpx2.AsyncClient, signer: Signer, body: str
) -> None:
    headers = as_role(signer, "admin")
    answer = await codec.post("/decode", content=body, headers=headers)
    assert answer.json()["type"].endswith("/malformed")


async def test_a_body_that_does_not_come_or_never_ends_is_refused(
    signer: Signer,
) -> None:
    app = create_codec(settings(signer, api_client_timeout=timedelta(seconds=0.5)))
    token = as_role(signer, "admin")["authorization"]
    asks = ("POST /decode HTTP/1.1", "Host: x", f"Authorization: {token}")
    for length, status in ((100, 408), (LARGEST_BODY + 1, 413)):
        async with (
            asyncio.timeout(20),  # else it would wait for ever
            serving(app) as (_, url),
            connected(url) as client,
        ):
            client.say(*asks, f"Content-Length: {length}", "", body=b"{")
            assert is_problem(await client.heard(), status)


def test_without_keys_or_an_issuer_it_does_not_start() -> None:
    with pytest.raises(ValidationError, match="PAYLOAD_KEYS"):
        CodecSettings(oidc_issuer="https://id.example.com", oidc_audience="orders")
    with pytest.raises(ValidationError, match="OIDC_ISSUER"):
        CodecSettings(temporal_payload_keys=SecretStr(K1))


async def test_the_command_line_shows_what_was_encrypted(
    signer: Signer, temporal: Client
) -> None:
    given = temporal.config()
    given["data_converter"] = OURS
    await Client(**given).start_workflow(
        "Order", {"order_id": "ord_1"}, id="order/ord_1", task_queue="nowhere"
    )
    app = create_codec(settings(signer, temporal_namespace=temporal.namespace))
    async with serving(app) as (_, url):
        token = as_role(signer, "support")["authorization"]
        shown = await show(temporal, "--codec-endpoint", url, "--codec-auth", token)
    assert json.loads(shown) == {"order_id": "ord_1"}
    assert b"ord_1" not in await show(temporal)


async def show(client: Client, *options: str) -> bytes:
    """The input of the workflow, as `temporal workflow show` has it."""
    command = (temporal_binary(), "workflow", "show", "--workflow-id", "order/ord_1")
    process = await asyncio.create_subprocess_exec(
        *command,
        *("--address", client.service_client.config.target_host),
        *("--namespace", client.namespace, "-o", "json", *options),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    (started, *_) = json.loads(out)["events"]
    (given,) = started["workflowExecutionStartedEventAttributes"]["input"]["payloads"]
    return base64.b64decode(given["data"])
