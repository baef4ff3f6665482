"""What a process that is started does once, a process of tests would do for each test.

Reading the system's authorities for TLS took 40 ms for each HTTP client that a test
opens, though none of them is used; the SDK's check of every workflow 70 ms for each
worker. Both are done for real, and remembered.
"""

import functools

import httpcore2
from temporalio.workflow import _Definition
from worker.runtime.sandbox import sandbox


def remember() -> None:
    """For the rest of this process."""
    httpcore2.default_ssl_context = functools.cache(httpcore2.default_ssl_context)
    runner = type(sandbox())
    check = runner.prepare_workflow
    passed: set[type] = set()

    def prepare_workflow(self: object, defn: _Definition) -> None:
        if defn.cls not in passed:
            check(self, defn)  # type: ignore[arg-type]
            passed.add(defn.cls)

    runner.prepare_workflow = prepare_workflow  # type: ignore[method-assign]
