"""What passes the sandbox is guarded before it runs: docs/adr/0036."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr
from shared.platform.encryption import data_converter
from shared.platform.settings import PayloadSettings
from temporalio.converter import WorkflowSerializationContext
from temporalio.worker.workflow_sandbox import SandboxRestrictions
from worker.runtime.sandbox import sandbox

from tests.support.keys import K1

ROOT = Path(__file__).parents[2]
PURE = ["libs/shared/src/shared/contracts", "services/worker/src/worker/orders/policy"]
CLOCK = "from datetime import UTC, datetime\n\nNOW = datetime.now(UTC)\n"


def test_contracts_and_policies_pass_and_nothing_else() -> None:
    ours = sandbox().restrictions.passthrough_modules
    added = ours - SandboxRestrictions.default.passthrough_modules
    assert added == {"shared.contracts", "worker.orders.policy"}


def test_the_context_that_is_not_asked_for_would_change_nothing() -> None:
    converter = data_converter(PayloadSettings(temporal_payload_keys=SecretStr(K1)))
    context = WorkflowSerializationContext(namespace="orders", workflow_id="ord_1")
    assert converter.with_context(context) is converter


@pytest.mark.parametrize("place", PURE)
def test_a_clock_in_what_passes_is_found_by_ruff(place: str) -> None:
    name = f"{place}.py" if place.endswith("policy") else f"{place}/base.py"
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
