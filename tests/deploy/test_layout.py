"""The tree is as its readers expect it: one resource per file, named by its kind."""

import subprocess
from pathlib import Path

import yaml

from tests.deploy.rendering import DEPLOY, KUSTOMIZE, ROOT, tool


def manifests() -> list[Path]:
    elsewhere = {"config", "values", "blueprints", "scripts"}
    return [p for p in DEPLOY.rglob("*.yaml") if not elsewhere & set(p.parts)]


def _is_resource(path: Path) -> bool:
    no_resources = ("name-references", "image-field", "jaeger", "environment")
    return path.stem not in no_resources and not path.stem.startswith("patch-")


def _is_named_by(path: Path, kind: str) -> bool:
    if path.parent.name == "root":
        return kind == "Application"
    stem, kind = path.stem, kind.lower()
    return stem == kind or stem.startswith(f"{kind}-") or stem == "kustomization"


def test_a_file_holds_one_resource_and_is_named_by_its_kind() -> None:
    wrong = []
    for path in filter(_is_resource, manifests()):
        documents = list(yaml.load_all(path.read_text(), yaml.CSafeLoader))
        if len(documents) != 1 or not _is_named_by(path, documents[0]["kind"]):
            wrong.append(str(path.relative_to(DEPLOY)))
    assert wrong == []


def test_every_file_is_listed_by_a_kustomization() -> None:
    for kustomization in DEPLOY.rglob("kustomization.yaml"):
        text = kustomization.read_text()
        for path in kustomization.parent.iterdir():
            hidden = path.name in ("kustomization.yaml", "README.md")
            if path.is_file() and not hidden:
                assert path.name in text, f"{path.relative_to(DEPLOY)} is not used"


def test_base_names_no_released_image() -> None:
    for path in (KUSTOMIZE / "base").rglob("*.yaml"):
        for line in path.read_text().splitlines():
            key, _, image = line.strip().removeprefix("- ").partition(": ")
            if key in ("image", "imageName"):
                assert ":" not in image, f"{path}: {line}"


def test_yaml_is_clean() -> None:
    done = subprocess.run(
        [tool("yamllint"), "--strict", "deploy", ".yamllint"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_shell_scripts_are_clean() -> None:
    scripts = [*ROOT.glob("scripts/*.sh"), *KUSTOMIZE.rglob("*.sh")]
    assert len(scripts) >= 6
    done = subprocess.run(
        [tool("shellcheck"), *map(str, scripts)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
