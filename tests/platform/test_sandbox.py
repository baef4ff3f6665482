"""What passes the sandbox is guarded before it runs: docs/adr/0036."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from pkgutil import walk_packages

import pytest
import shared.contracts
import worker.orders
from temporalio.worker.workflow_sandbox import SandboxRestrictions
from temporalio.worker.workflow_sandbox._importer import Importer
from temporalio.worker.workflow_sandbox._restrictions import RestrictionContext
from worker.runtime.sandbox import sandbox

ROOT = Path(__file__).parents[2]


def modules_of(package: str, path: list[str]) -> list[str]:
    found = walk_packages(path, f"{package}.")
    return [module.name for module in found if not module.ispkg]


ORDERS = modules_of("worker.orders", worker.orders.__path__)
RULES = [module for module in ORDERS if module.endswith((".policy", ".options"))]
WORKFLOWS = [module for module in ORDERS if module.endswith(".workflow")]
PURE = [
    *modules_of("shared.contracts", shared.contracts.__path__),
    "worker.runtime.level_triggered",
    *RULES,
]
CLOCK = "from datetime import UTC, datetime\n\nNOW = datetime.now(UTC)\n"
RANDOMNESS = "import uuid\n\nID = uuid.uuid4()\n"


def test_contracts_and_rules_pass_and_nothing_else() -> None:
    ours = sandbox().restrictions.passthrough_modules
    added = ours - SandboxRestrictions.default.passthrough_modules
    assert added == {
        "shared.contracts",
        "worker.runtime.level_triggered",
        *RULES,
    }
    assert {"worker.orders.order.policy", "worker.orders.options"} <= added


def test_a_workflow_stays_inside() -> None:
    passes = Importer(
        sandbox().restrictions, RestrictionContext()
    ).module_configured_passthrough
    assert all(passes(module) for module in PURE)
    assert not any(passes(module) for module in WORKFLOWS)


def refused_by_ruff(module: str, code: str) -> bool:
    place = Path(*module.split(".")).with_suffix(".py")
    (name,) = ROOT.glob(f"*/*/src/{place}")
    found = subprocess.run(
        [
            *(sys.executable, "-m", "ruff", "check", "--select", "TID251"),
            *("--stdin-filename", name, "-"),
        ],
        input=code,
        text=True,
        capture_output=True,
        cwd=ROOT,
    )
    return "TID251" in found.stdout


@pytest.mark.parametrize("module", [*PURE, *WORKFLOWS])
def test_a_clock_where_it_would_break_a_replay_is_found_by_ruff(module: str) -> None:
    assert refused_by_ruff(module, CLOCK)


@pytest.mark.parametrize("role", ["workflow", "policy"])
def test_randomness_is_refused_at_any_depth(role: str) -> None:
    assert refused_by_ruff(f"worker.orders.order.{role}", RANDOMNESS)
    assert not refused_by_ruff("worker.orders.order.activities", RANDOMNESS)


@pytest.mark.parametrize("role", ["workflow", "policy", "options"])
def test_an_import_that_reaches_out_is_refused_at_any_depth(
    tmp_path: Path, role: str
) -> None:
    """Planted in a copy, and by way of another module, which ruff does not follow."""
    for package in ("services/worker", "libs/shared"):
        shutil.copytree(ROOT / package / "src", tmp_path, dirs_exist_ok=True)
    subject = tmp_path / "worker/orders/order"
    (subject / "by_way_of.py").write_text("import uuid\n")
    with (subject / f"{role}.py").open("a") as planted:
        planted.write("\nfrom worker.orders.order import by_way_of\n")
    assert f"worker.orders.order.{role}" in broken_rules(tmp_path)


def broken_rules(tree: Path) -> str:
    """What import-linter says of a copy of the worker, by the one rule."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (rule,) = [c for c in rules["contracts"] if c["name"].startswith("Workflow code")]
    lines = ["[importlinter]", "root_packages =", "  shared", "  worker"]
    lines += ["include_external_packages = True", "[importlinter:contract:1]"]
    for key, value in rule.items():
        listed = "".join(f"\n  {item}" for item in value)
        lines.append(f"{key} = {value if isinstance(value, str) else listed}")
    (tree / ".importlinter").write_text("\n".join(lines))
    found = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        text=True,
        capture_output=True,
    )
    assert found.returncode == 1, found.stdout
    return found.stdout
