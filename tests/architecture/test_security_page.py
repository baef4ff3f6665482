"""docs/security.md names tests that exist, and grants what is granted."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from api.processes import PROCESSES, scopes

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/.:]+)`", PAGE)))
BLUEPRINT = "deploy/kustomize/components/sso/security/blueprints/orders.yaml"


def is_there(named: str) -> bool:
    path, _, name = named.partition("::")
    file = ROOT / path
    return file.exists() and (
        not name or re.search(rf"\bdef {name}\(", file.read_text()) is not None
    )


@pytest.mark.parametrize("named", NAMED)
def test_every_test_that_holds_a_threat_exists(named: str) -> None:
    assert is_there(named)


def test_a_test_that_does_not_exist_is_found() -> None:
    assert not is_there("tests/api/test_access.py::test_nothing")
    assert not is_there("tests/api/test_nothing.py")


def test_every_threat_has_an_answer_and_a_test() -> None:
    threats = PAGE.partition("## Threats")[2].partition("## Secrets")[0]
    rows = [row for row in rows_of(threats) if row[0] != "threat"]
    assert len(rows) > 20
    assert [row[0] for row in rows if not row[1] or "`tests/" not in row[2]] == []


def test_scopes_and_roles_are_those_that_are_granted() -> None:
    table = PAGE.partition("## Who may do what")[2].partition("## Threats")[0]
    listed = {row[0]: row[1:] for row in rows_of(table) if row[0].startswith("`")}
    known = scopes(PROCESSES)
    roles = {
        scope: ", ".join(role for role, held in granted().items() if scope in held)
        for scope in known
    } | {"orders:own": "who has no other"}
    assert listed == {
        f"`{scope}`": [meaning, roles[scope]] for scope, meaning in known.items()
    }


def rows_of(text: str) -> list[list[str]]:
    """The cells of every row of every table."""
    lines = [line for line in text.splitlines() if re.match(r"\| [^-]", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def granted() -> dict[str, list[str]]:
    """Scopes by role, as Authentik is told."""
    text = re.sub(r"!\w+", "", (ROOT / BLUEPRINT).read_text())
    entries: list[dict[str, Any]] = yaml.safe_load(text)["entries"]
    (mapping,) = (e for e in entries if e["model"].endswith("scopemapping"))
    code = "".join(f"    {li}\n" for li in mapping["attrs"]["expression"].splitlines())
    tree = ast.parse(f"def mapping():\n{code}")
    (roles,) = (
        n for n in ast.walk(tree) if isinstance(n, ast.Dict) and len(n.keys) > 2
    )
    by_group: dict[str, str] = ast.literal_eval(roles)
    return {
        group.removeprefix("orders-"): scopes.split()
        for group, scopes in by_group.items()
    }
