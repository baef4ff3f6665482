"""What is written in more than one place says the same."""

import re
import tomllib
from collections import Counter
from typing import Any

import pytest
import yaml

from tests.ship import dockerfile
from tests.ship.dockerfile import ROOT


def toml(path: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / path).read_text())


def members() -> list[str]:
    found = [
        *ROOT.glob("libs/*/pyproject.toml"),
        *ROOT.glob("services/*/pyproject.toml"),
    ]
    return [str(path.relative_to(ROOT)) for path in found]


def test_the_workspace_has_one_version() -> None:
    versions = {path: toml(path)["project"]["version"] for path in members()}
    assert set(versions.values()) == {toml("pyproject.toml")["project"]["version"]}


def test_pipeline_and_image_use_the_same_uv() -> None:
    (image,) = dockerfile.of("build", "ARG")[0].split()
    pipeline = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text().replace("!", ""))
    assert image == f"UV_VERSION={pipeline['variables']['UV_VERSION']}"


def test_jobs_and_hooks_call_tasks_that_exist() -> None:
    tasks = toml("pyproject.toml")["tool"]["poe"]["tasks"].keys()
    for path in (".gitlab-ci.yml", ".pre-commit-config.yaml"):
        called = re.findall(
            r"\bpoe (?:--quiet )?([a-z][a-z-]+)", (ROOT / path).read_text()
        )
        assert called
        assert set(called) <= tasks, path


def test_the_pipelines_checks_are_those_of_the_task() -> None:
    pipeline = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text().replace("!", ""))
    jobs = pipeline["check"]["parallel"]["matrix"][0]["TASK"]
    assert jobs == toml("pyproject.toml")["tool"]["poe"]["tasks"]["check"]["sequence"]


def test_the_pipeline_tries_no_test_twice() -> None:
    """A job begins anew where its runner broke, and not because something failed."""
    pipeline = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text().replace("!", ""))
    retried = {reason for job in pipeline.values() for reason in reasons(job)}
    assert retried == {"runner_system_failure", "stuck_or_timeout_failure"}
    developers = toml("pyproject.toml")["dependency-groups"]["dev"]
    assert not [name for name in developers if "rerun" in name or "flaky" in name]
    runs = [
        line for line in (ROOT / ".ci/run").read_text().splitlines() if "pytest" in line
    ]
    assert runs == ["uv run pytest"]


def reasons(job: Any) -> list[str]:
    retry = job.get("retry") if isinstance(job, dict) else None
    if retry is None:
        return []
    return retry.get("when", ["always"]) if isinstance(retry, dict) else ["always"]


COMPOSE = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]


@pytest.mark.parametrize("image", ["server", "admin-tools", "ui"])
def test_compose_runs_the_servers_of_development(image: str) -> None:
    overlay = ROOT / "deploy/kustomize/overlays/development/temporal-backend"
    wanted = yaml.safe_load((overlay / "kustomization.yaml").read_text())["images"]
    tags = {entry["name"]: entry["newTag"] for entry in wanted}
    here = Counter(service["image"].rpartition("}")[2] for service in COMPOSE.values())
    assert f"temporalio/{image}:{tags[f'temporalio/{image}']}" in here


def test_compose_sets_only_variables_that_are_read() -> None:
    # Every setting of both services, by its variable.
    from api.settings import ApiSettings
    from worker.settings import WorkerSettings

    known = {*ApiSettings.model_fields, *WorkerSettings.model_fields}
    for service in ("worker", "api", "deliverer", "migrations"):
        assert {name.lower() for name in COMPOSE[service]["environment"]} <= known


def test_manifests_run_as_the_images_user_and_by_its_command() -> None:
    base = ROOT / "deploy/kustomize/base/temporal-product"
    for service in ("worker", "api"):
        pod = yaml.safe_load((base / service / "deployment.yaml").read_text())
        spec = pod["spec"]["template"]["spec"]
        user = f"{spec['securityContext']['runAsUser']}"
        group = f"{spec['securityContext']['runAsGroup']}"
        assert dockerfile.of("service", "USER") == [f"{user}:{group}"]
        assert spec["containers"][0]["command"] == ["python", "-m", service]
