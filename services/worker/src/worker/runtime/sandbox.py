"""Configures what workflows may import inside the sandbox."""

from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import CommandType
from temporalio.converter import SerializationContext, WorkflowSerializationContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import (
    SandboxedWorkflowRunner,
    SandboxRestrictions,
)


def sandbox() -> SandboxedWorkflowRunner:
    """Workflow modules are loaded anew for each workflow, and guarded. The contracts,
    the policies, the options and the loop they share pass through: they hold no state
    and reach no I/O (import-linter, and ruff's banned API), and loading them took five
    sixths of a workflow's start (docs/adr/0036)."""
    return _Sandbox(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(
            "shared.contracts", "worker.runtime.level_triggered", *_rules()
        )
    )


def _rules() -> list[str]:
    """The rules of every business process, and its time-outs: each `policy.py` and
    `options.py`, at any depth."""
    root = Path(__file__).parents[2]
    return [
        ".".join(module.relative_to(root).with_suffix("").parts)
        for name in ("policy.py", "options.py")
        for module in sorted(root.glob(f"worker/*/**/{name}"))
    ]


class _Sandbox(SandboxedWorkflowRunner):
    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = super().create_instance(det)
        # Read for every payload, by code that is compiled and run inside the sandbox: a
        # fourteenth of the worker's Python time. Our codec looks at the workflow's id
        # alone, which differs only for another workflow's payloads.
        own = WorkflowSerializationContext(
            namespace=det.info.namespace, workflow_id=det.info.workflow_id
        )
        asked = instance.get_serialization_context

        def context_of(command: Any) -> SerializationContext | None:
            elsewhere = command is not None and command.command_type in _ELSEWHERE
            return asked(command) if elsewhere else own

        instance.get_serialization_context = context_of  # type: ignore[method-assign,assignment]
        # Also read for every payload: the store for large payloads, which we do not
        # use.
        instance.get_external_store_context = _no_store  # type: ignore[method-assign,assignment]
        return instance


def _no_store(_command: object) -> None:
    """The SDK uses nothing of the result if the converter has no such store."""


_ELSEWHERE = {
    CommandType.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION,
    CommandType.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION,
}
