"""What a workflow may see from inside the sandbox."""

from temporalio.worker.workflow_sandbox import (
    SandboxedWorkflowRunner,
    SandboxRestrictions,
)


def sandbox() -> SandboxedWorkflowRunner:
    """Workflow modules are loaded anew for each workflow, and guarded. The contracts
    alone pass through: they hold no state and reach no I/O (import-linter), and
    building their pydantic models for every workflow would take most of its time."""
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(
            "shared.contracts"
        )
    )
