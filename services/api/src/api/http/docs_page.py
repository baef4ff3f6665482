"""`/openapi.json` and `/docs`: the description of the API, and a page to try it out.

Staff sign in on that page, so each script on it is ours or comes with a package whose
hash is in `uv.lock`; the browser is told to run no other.
"""

import asyncio
import base64
import hashlib
import json
import re
from importlib.resources import files
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import (
    get_swagger_ui_html,
    get_swagger_ui_oauth2_redirect_html,
)
from shared.contracts.errors import NotFound

from api.http.sign_in import page_options
from api.settings import ApiSettings

ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
RETURN_PATH = "/docs/oauth2-redirect"
_INLINE = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' {scripts}",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self' {issuer}",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
_ASSETS_LAST = {"Cache-Control": "public, max-age=86400"}

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    app: FastAPI = request.app
    if not hasattr(app.state, "openapi"):
        # It takes a second, so other requests are served meanwhile.
        app.state.openapi = await asyncio.to_thread(_description, app)
    return Response(app.state.openapi, media_type="application/json")


def _description(app: FastAPI) -> bytes:
    return json.dumps(app.openapi(), ensure_ascii=False).encode()


@router.get("/docs")
async def docs(request: Request) -> Response:
    settings: ApiSettings = request.app.state.settings
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Orders",
        swagger_js_url="/docs/swagger-ui-bundle.js",
        swagger_css_url="/docs/swagger-ui.css",
        swagger_favicon_url="/docs/favicon.png",
        oauth2_redirect_url=RETURN_PATH,
        init_oauth=page_options(settings),
    )
    return _strict(bytes(page.body), settings)


@router.get(RETURN_PATH)
async def take_code(request: Request) -> Response:
    page = get_swagger_ui_oauth2_redirect_html()
    return _strict(bytes(page.body), request.app.state.settings)


@router.get("/docs/{name}")
async def asset(name: str) -> Response:
    if name not in ASSETS:
        raise NotFound("such file")
    content = files("fastapi_offline").joinpath("static", name).read_bytes()
    return Response(content, media_type=ASSETS[name], headers=_ASSETS_LAST)


def _strict(page: bytes, settings: ApiSettings) -> Response:
    """With a policy that allows FastAPI's own scripts by their hashes."""
    hashes = (hashlib.sha256(script).digest() for script in _INLINE.findall(page))
    scripts = " ".join(f"'sha256-{base64.b64encode(h).decode()}'" for h in hashes)
    policy = _POLICY.format(scripts=scripts, issuer=_origin(settings.oidc_issuer))
    headers = {"Content-Security-Policy": policy}
    return Response(page, media_type="text/html", headers=headers)


def _origin(issuer: str | None) -> str:
    """The origin that the page gets tokens from."""
    scheme, host, *_ = urlsplit(issuer or "")
    return f"{scheme}://{host}" if host else ""
