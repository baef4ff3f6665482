"""An API server with the operators' CRDs would take every object as it is."""

import copy
import json

import pytest

from tests.deploy.rendering import (
    COMPONENTS,
    DEPLOY,
    ENVIRONMENTS,
    SYSTEMS,
    Manifest,
    base_with,
    build,
    components_of,
    environment,
    label,
    named,
)
from tests.deploy.schemas import folder, is_built_in, mistakes

ALONE = [(s, c) for s in SYSTEMS for c in components_of(s)]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_api_servers_own_kinds_are_valid(name: str) -> None:
    assert [m for o in environment(name) for m in mistakes(o, None)] == []


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_operators_kinds_are_valid(name: str) -> None:
    schemas = folder()
    custom = [o for o in environment(name) if not is_built_in(o)]
    assert [m for o in custom for m in mistakes(o, schemas)] == []


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_applications_of_an_environment_are_valid(name: str) -> None:
    schemas = folder()
    made = build(DEPLOY / "argocd/applications" / name)
    assert [m for o in made for m in mistakes(o, schemas)] == []


@pytest.mark.parametrize("name", ["temporal-backend", "temporal-product"])
def test_a_restore_drill_is_valid(name: str) -> None:
    schemas = folder()
    made = build(DEPLOY / "kustomize/restore-drill" / name)
    assert [m for o in made for m in mistakes(o, schemas)] == []


# All of a system's together are built below, and most are in an environment.
@pytest.mark.slow
@pytest.mark.parametrize(("system", "component"), ALONE)
def test_a_component_builds_alone(system: str, component: str) -> None:
    plain = base_with(system, ())
    changed = [o for o in base_with(system, (component,)) if o not in plain]
    # With the base's own values there is nothing to copy.
    assert changed or component == "environment"
    assert [m for o in changed for m in mistakes(o, folder())] == []


def test_every_component_says_what_it_is_for() -> None:
    for path in COMPONENTS.iterdir():
        lines = (path / "README.md").read_text().splitlines()
        assert lines[0] == f"# {path.name}"
        assert len(lines) >= 3


@pytest.mark.parametrize("system", SYSTEMS)
def test_components_come_in_any_order(system: str) -> None:
    # These stand in for another component and are not taken beside it.
    instead = {"development-secrets", "gateway-api", "autoscaling-keda"}
    every = [c for c in components_of(system) if c not in instead]
    forwards = base_with(system, tuple(every))
    backwards = base_with(system, tuple(reversed(every)))
    assert _by_name(forwards) == _by_name(backwards)


def test_a_wrong_field_is_a_mistake() -> None:
    deployment = copy.deepcopy(
        named(environment("production"), "Deployment", "fastapi-service")
    )
    deployment["spec"]["replica"] = 2
    assert mistakes(deployment, None)


def test_a_wrong_field_of_an_operator_is_a_mistake() -> None:
    database = copy.deepcopy(
        named(environment("production"), "Cluster", "orders-postgresql")
    )
    database["spec"]["instance"] = 3
    assert mistakes(database, folder())


def _by_name(manifests: tuple[Manifest, ...]) -> dict[str, str]:
    return {label(m): json.dumps(_sorted(m), sort_keys=True) for m in manifests}


def _sorted(value: object) -> object:
    """The same without the order of lists whose entries have names."""
    if isinstance(value, dict):
        return {k: _sorted(v) for k, v in value.items()}
    if isinstance(value, list):
        return sorted(
            (_sorted(v) for v in value), key=lambda v: json.dumps(v, sort_keys=True)
        )
    return value
