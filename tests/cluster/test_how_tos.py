"""What the pages tell people to type does what it says, in production as it runs."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import operators
from tests.cluster.stage import Stage
from tests.deploy import test_docs
from tests.deploy.rendering import KUSTOMIZE, ROOT, build

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PAGES = [
    *test_docs.PAGES,
    *sorted(
        p for p in (ROOT / "docs/runbooks").glob("*.md") if p not in test_docs.PAGES
    ),
]
CHANGES = {"annotate", "apply", "create", "delete", "label", "patch", "scale", "undo"}
"""The server says what they would do, and nothing is changed."""
NOT_HERE = {
    "port-forward": "no container listens",
    "top": "nothing measures pods",
    "restart": "the fixture below has done it",
    "drain": "test_deployment.py drains a node",
    "uncordon": "and takes it back",
    "taint": "test_lost_zone.py says that a zone is off",
}
DRILLS = ("temporal-backend", "temporal-product")


def commands(page: Path) -> Iterator[tuple[list[str], str]]:
    """The words of each command, and what it reads."""
    given = dict(
        re.findall(
            r"(kubectl [^\n]*?) <<'YAML'\n(.*?)\n *YAML", page.read_text(), re.DOTALL
        )
    )
    inputs = {" ".join(words.split()): text for words, text in given.items()}
    for words in test_docs.commands(page):
        yield words[1:], textwrap.dedent(inputs.get(" ".join(words), ""))


def harmless(words: list[str]) -> list[str]:
    """The same, with nothing changed and no terminal."""
    verb = words[1] if words[0] == "rollout" else words[0]
    left = [word for word in words if word not in ("--stdin", "--tty")]
    if verb not in CHANGES:
        return left
    # What was made since the page was followed is there already.
    where = "client" if words[:2] == ["create", "secret"] else "server"
    return [*left, f"--dry-run={where}"]


@pytest.fixture
def production(deployed: Stage) -> Iterator[Stage]:
    if deployed.name != "production":
        pytest.skip("the pages are about production")
    made = [m for drill in DRILLS for m in build(KUSTOMIZE / "restore-drill" / drill)]
    beside = [*made, *operators.made_of(made)]
    there = ("--server-side", "--force-conflicts", "--filename=-")
    deployed.plane.kubectl("apply", *there, objects=beside)
    operators.say(deployed.plane, made)
    # The pod of its job may have gone with the node that was drained.
    deployed.argocd.bring("temporal-product")
    # So that there is something to go back to.
    for name in ("temporal-worker", "fastapi-service"):
        where = ("--namespace=temporal-product", f"deployment/{name}")
        deployed.plane.kubectl("rollout", "restart", *where)
    deployed.settle()
    yield deployed
    deployed.plane.kubectl("delete", "--filename=-", objects=beside)


def test_every_command_of_a_page_is_answered(production: Stage) -> None:
    failed, asked = [], 0
    for page in PAGES:
        for words, text in commands(page):
            if NOT_HERE.keys() & {*words[:2]}:
                continue
            done = production.plane.server.kubectl(*harmless(words), text=text)
            asked += 1
            if done.returncode:
                failed.append(f"{page.name}: {' '.join(words)}: {done.stderr.strip()}")
    assert asked > 100
    assert failed == []
