"""What a workflow may see from inside the sandbox."""

from pathlib import Path

from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import (
    SandboxedWorkflowRunner,
    SandboxRestrictions,
)


def sandbox() -> SandboxedWorkflowRunner:
    """Workflow modules are loaded anew for each workflow, and guarded. The contracts,
    the policies and the loop they share pass through: they hold no state and reach no
    I/O (import-linter, and ruff's banned API), and loading them took five sixths of a
    workflow's start (docs/adr/0036)."""
    return _Sandbox(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(
            "shared.contracts", "worker.runtime.level_triggered", *_policies()
        )
    )


def _policies() -> list[str]:
    """The rules of every business process: each `policy.py`, at any depth."""
    root = Path(__file__).parents[2]
    return [
        ".".join(policy.relative_to(root).with_suffix("").parts)
        for policy in sorted(root.glob("worker/*/**/policy.py"))
    ]


class _Sandbox(SandboxedWorkflowRunner):
    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = super().create_instance(det)
        # Asked for every payload, by code that is compiled and run inside: a fourteenth
        # of the worker's Python time. Nothing in our converter looks at a context.
        instance.get_serialization_context = lambda command_info: None  # type: ignore[method-assign]
        return instance
