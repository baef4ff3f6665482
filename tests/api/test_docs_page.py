"""The page of documentation, where staff sign in: it runs no script but ours."""

import base64
import hashlib
import re

import httpx2
import pytest
from api.app import create_app

from tests.api.conftest import MakeSettings, running
from tests.api.shop import code

ISSUER = "https://id.example.com/application/o/orders/"


def directives(page: httpx2.Response) -> dict[str, set[str]]:
    policy = page.headers["content-security-policy"]
    named = (directive.split() for directive in policy.split(";"))
    return {name: set(sources) for name, *sources in named}


@pytest.mark.parametrize("path", ["/docs", "/docs/oauth2-redirect"])
async def test_the_page_runs_its_own_scripts_alone(
    make_settings: MakeSettings, path: str
) -> None:
    settings = make_settings(
        api_auth="oidc", oidc_issuer=ISSUER, oidc_audience="orders"
    )
    async with running(create_app(settings)) as client:
        page = await client.get(path)
        allowed = directives(page)
        inline = re.findall("<script>(.*?)</script>", page.text, re.DOTALL)
        for asset in re.findall(r'(?:src|href)="([^"]+)"', page.text):
            found = await client.get(asset)
            assert asset.startswith("/docs/")
            assert found.is_success
            assert len(found.content) > 1000
    digests = [hashlib.sha256(script.encode()).digest() for script in inline]
    hashes = {f"'sha256-{base64.b64encode(d).decode()}'" for d in digests}
    assert len(hashes) == 1
    assert allowed["script-src"] == {"'self'"} | hashes
    assert allowed["style-src"] == {"'self'"}
    assert allowed["connect-src"] == {"'self'", "https://id.example.com"}
    assert allowed["default-src"] == allowed["frame-ancestors"] == {"'none'"}


async def test_scripts_say_what_they_are(client: httpx2.AsyncClient) -> None:
    script = await client.get("/docs/swagger-ui-bundle.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert script.headers["x-content-type-options"] == "nosniff"
    assert b"SwaggerUIBundle" in script.content


@pytest.mark.parametrize("name", ["core.py", "..%2Fcore.py", "redoc.standalone.js"])
async def test_nothing_else_of_the_package_is_served(
    client: httpx2.AsyncClient, name: str
) -> None:
    answer = await client.get(f"/docs/{name}")
    assert (answer.status_code, code(answer)) == (404, "not-found")


async def test_who_comes_without_a_path_is_led_on(make_settings: MakeSettings) -> None:
    settings = make_settings(
        api_auth="oidc", oidc_issuer=ISSUER, oidc_audience="orders"
    )
    async with running(create_app(settings)) as client:
        places = (await client.get("/")).raise_for_status().json()
        assert {"docs", "health", "problems"} <= places.keys()
        for url in places.values():
            path = url.removeprefix(settings.public_url)
            assert path != url
            assert (await client.get(path)).status_code in (200, 503), path
