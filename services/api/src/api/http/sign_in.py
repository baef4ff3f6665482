"""Lets people sign in on the documentation page, if there is an issuer."""

from typing import Any

from api.http.oidc import discovery_url
from api.settings import ApiSettings

BY_TOKEN = "HTTPBearer"  # noqa: S105
BY_ISSUER = "OpenIdConnect"


def page_options(settings: ApiSettings) -> dict[str, Any] | None:
    """The options of Swagger UI. A public client has no secret: PKCE proves that the
    token goes to whoever asked for it."""
    if settings.oidc_docs_client_id is None:
        return None
    return {
        "clientId": settings.oidc_docs_client_id,
        "scopes": settings.oidc_docs_scope,
        "usePkceWithAuthorizationCodeGrant": True,
    }


def describe_issuer(document: dict[str, Any], settings: ApiSettings) -> None:
    """Add the issuer wherever a token is required. The committed document names none
    and stays as it is."""
    if settings.api_auth != "oidc" or settings.oidc_issuer is None:
        return
    document["components"]["securitySchemes"][BY_ISSUER] = {
        "type": "openIdConnect",
        "openIdConnectUrl": discovery_url(settings.oidc_issuer),
    }
    for path in document["paths"].values():
        for operation in path.values():
            for way in list(operation.get("security", ())):
                operation["security"].append({BY_ISSUER: way[BY_TOKEN]})
