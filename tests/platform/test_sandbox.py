"""What passes the sandbox is guarded before it runs: docs/adr/0036."""

import subprocess
import sys
from pathlib import Path
from pkgutil import walk_packages

import pytest
import shared.contracts
import worker.orders.policy
from pydantic import SecretStr
from shared.platform.encryption import data_converter
from shared.platform.settings import PayloadSettings
from temporalio.converter import WorkflowSerializationContext
from temporalio.worker.workflow_sandbox import SandboxRestrictions
from temporalio.worker.workflow_sandbox._importer import Importer
from temporalio.worker.workflow_sandbox._restrictions import RestrictionContext
from worker.runtime.sandbox import sandbox

from tests.support.keys import K1

ROOT = Path(__file__).parents[2]
PURE = [
    module.name
    for package in (shared.contracts, worker.orders.policy)
    for module in walk_packages(package.__path__, f"{package.__name__}.")
    if not module.ispkg
]
CLOCK = "from datetime import UTC, datetime\n\nNOW = datetime.now(UTC)\n"


def test_contracts_and_policies_pass_and_nothing_else() -> None:
    ours = sandbox().restrictions.passthrough_modules
    added = ours - SandboxRestrictions.default.passthrough_modules
    assert added == {"shared.contracts", "worker.orders.policy"}


def test_the_serialization_context_that_is_not_asked_for_would_change_nothing() -> None:
    converter = data_converter(PayloadSettings(temporal_payload_keys=SecretStr(K1)))
    context = WorkflowSerializationContext(namespace="orders", workflow_id="ord_1")
    assert converter.with_context(context) is converter


def test_the_modules_of_a_policy_pass_too() -> None:
    passes = Importer(
        sandbox().restrictions, RestrictionContext()
    ).module_configured_passthrough
    assert all(passes(module) for module in PURE)
    assert not passes("worker.orders.workflows.order")


@pytest.mark.parametrize("module", PURE)
def test_a_clock_in_what_passes_is_found_by_ruff(module: str) -> None:
    place = Path(*module.split(".")).with_suffix(".py")
    (name,) = ROOT.glob(f"*/*/src/{place}")
    found = subprocess.run(
        [
            *(sys.executable, "-m", "ruff", "check", "--select", "TID251"),
            *("--stdin-filename", name, "-"),
        ],
        input=CLOCK,
        text=True,
        capture_output=True,
        cwd=ROOT,
    )
    assert "TID251" in found.stdout
