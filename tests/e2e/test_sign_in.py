"""The whole system as `dev --auth` starts it: nobody says who they are."""

import asyncio
from pathlib import Path

import asyncpg
import httpx2
import jwt
import pytest
from devstack.issuer.people import ROLES

from tests.e2e.walking import running_system, walk

# A machine that is busy with everything else that the tests start.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_an_order_is_walked_from_hand_to_hand_by_token(tmp_path: Path) -> None:
    with running_system(tmp_path / "dev", "--auth") as at:
        walked = walk(
            "sign-in.md", tmp_path, ORDERS_API_URL=at["api"], ISSUER=at["issuer"]
        )
        refusals = ("(insufficient-scope)", "(unauthenticated)")
        assert [walked.stderr.count(f"{code}\n") for code in refusals] == [2, 2]
        assert asyncio.run(actors(at["database_url"])) >= {"anna", "warehouse"}
        with httpx2.Client(base_url=at["api"], trust_env=False) as http:
            assert_each_may_what_their_role_may(http, at["tokens"])
            assert_people_can_sign_in_on_the_page(http, at["issuer"])


async def actors(database_url: str) -> set[str]:
    connection = await asyncpg.connect(database_url)
    try:
        return {row[0] for row in await connection.fetch("SELECT actor FROM events")}
    finally:
        await connection.close()


def assert_each_may_what_their_role_may(
    http: httpx2.Client, tokens: dict[str, str]
) -> None:
    """By the tokens that are printed."""
    assert tokens.keys() == ROLES.keys()
    for role, token in tokens.items():
        held = jwt.decode(token, options={"verify_signature": False})["scope"]
        assert held == ROLES[role]
        headers = {"Authorization": f"Bearer {token}"}
        answer = http.get("/v1/discrepancies", headers=headers)
        expected = 200 if role in ("finance", "admin") else 403
        assert answer.status_code == expected, role


def assert_people_can_sign_in_on_the_page(http: httpx2.Client, issuer: str) -> None:
    document = http.get("/openapi.json").json()
    scheme = document["components"]["securitySchemes"]["OpenIdConnect"]
    assert scheme["openIdConnectUrl"] == f"{issuer}.well-known/openid-configuration"
    placing = document["paths"]["/v1/orders"]["post"]["security"]
    assert {"OpenIdConnect": ["orders:own", "orders:write"]} in placing
    page = http.get("/docs").text
    assert '"usePkceWithAuthorizationCodeGrant": true' in page
