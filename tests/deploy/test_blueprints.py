"""What Authentik is told fits what server, UI and API expect of its tokens."""

import ast
import re
from typing import Any

import pytest
import yaml
from devstack.issuer.people import ROLES

from tests.deploy.cluster import cluster
from tests.deploy.rendering import COMPONENTS, environment
from tests.deploy.settings import environment_of

FOLDER = COMPONENTS / "sso/security/blueprints"

Entry = dict[str, Any]


class Blueprint(yaml.SafeLoader):
    """YAML with Authentik's own tags, which become their arguments."""


def _argument(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    assert isinstance(node, yaml.SequenceNode)
    return loader.construct_sequence(node, deep=True)


Blueprint.add_multi_constructor("!", _argument)


def entries(name: str, model: str) -> dict[str, Entry]:
    text = (FOLDER / f"{name}.yaml").read_text()
    loaded = yaml.load(text, Blueprint)
    return {
        entry.get("id") or str(entry["identifiers"]): entry
        for entry in loaded["entries"]
        if entry["model"].endswith(model)
    }


def granted(expression: str) -> set[str]:
    """Every permission that a scope mapping may hand out."""
    texts = {
        node.value
        for node in ast.walk(ast.parse(f"def mapping():\n{_indented(expression)}"))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {text for text in texts if ":" in text}


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


@pytest.mark.parametrize("name", ["temporal", "orders"])
def test_tokens_are_signed_by_a_key_and_not_encrypted(name: str) -> None:
    providers = entries(name, "oauth2provider")
    assert providers
    for provider in providers.values():
        # Without a signing key they would be HS256, which the server refuses.
        assert provider["attrs"]["signing_key"]
        assert "encryption_key" not in provider["attrs"]


def test_permissions_are_what_the_server_understands() -> None:
    mappings = entries("temporal", "scopemapping")
    for mapping in mappings.values():
        expression = mapping["attrs"]["expression"]
        assert mapping["attrs"]["scope_name"] == "permissions"
        for permission in granted(expression):
            assert re.fullmatch(
                r"(orders|temporal-system):(read|write|worker|admin)", permission
            )
    services = granted(mappings["services"]["attrs"]["expression"])
    # `worker` alone may do nothing.
    assert services == {"orders:write"}


def test_every_token_for_the_server_has_the_audience_it_asks_for() -> None:
    server = environment_of(cluster(environment("production")), "temporal-frontend")
    for mapping in entries("temporal", "scopemapping").values():
        assert f'"aud": "{server["JWT_AUDIENCE"]}"' in mapping["attrs"]["expression"]


def test_the_apis_audience_and_issuer_are_those_of_its_application() -> None:
    api = environment_of(cluster(environment("production")), "fastapi-service")
    (application,) = entries("orders", "application").values()
    (mapping,) = entries("orders", "scopemapping").values()
    assert str(api["OIDC_ISSUER"]).endswith(
        f"/application/o/{application['identifiers']['slug']}/"
    )
    assert f'"aud": "{api["OIDC_AUDIENCE"]}"' in mapping["attrs"]["expression"]


def test_the_ui_comes_back_to_where_it_started() -> None:
    web = environment_of(cluster(environment("production")), "temporal-web")
    provider = entries("temporal", "oauth2provider")["temporal-ui"]["attrs"]
    ((pattern, _),) = [r["url"] for r in provider["redirect_uris"]]
    assert (
        pattern.replace("%s", "temporal-ui.example.com")
        == (web["TEMPORAL_AUTH_CALLBACK_URL"])
    )
    slug = entries("temporal", "application").values()
    assert {"temporal"} <= {a["identifiers"]["slug"] for a in slug}


def test_each_service_has_a_client_of_its_own() -> None:
    clients = {
        p["attrs"]["client_id"] for p in entries("temporal", "oauth2provider").values()
    }
    assert clients == {
        "temporal-ui",
        "temporal-worker",
        "fastapi-service",
        "temporal-operator",
    }


def test_roles_are_those_of_the_development_stack() -> None:
    (mapping,) = (
        entry["attrs"]["expression"]
        for entry in entries("orders", "scopemapping").values()
    )
    tree = ast.parse(f"def mapping():\n{_indented(mapping)}")
    (roles,) = (
        ast.literal_eval(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        and all(isinstance(value, ast.Constant) for value in node.values)
    )
    customers = {"anna"}
    assert roles == {
        f"orders-{role}": scopes
        for role, scopes in ROLES.items()
        if role not in customers
    }
