"""Every time-out and retry of the order workflows, with its reason."""

from dataclasses import replace
from datetime import timedelta
from typing import TypedDict

from shared.contracts.orders.exports import EXPORT_LIVES
from shared.contracts.orders.names import CARRIERS, ORDERS, PAYMENTS
from temporalio.common import RetryPolicy


class LocalOptions(TypedDict):
    local_retry_threshold: timedelta
    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    retry_policy: RetryPolicy


class ActivityOptions(TypedDict):
    task_queue: str
    start_to_close_timeout: timedelta
    retry_policy: RetryPolicy


class HeartbeatOptions(ActivityOptions):
    heartbeat_timeout: timedelta


# No end: an outage ends some day, and operators see the attempts.
_UNTIL_IT_WORKS = RetryPolicy(
    initial_interval=timedelta(seconds=0.2),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=10),
)

# A transaction takes a few milliseconds. One that takes longer waits for a lock or for
# a connection.
DATABASE = LocalOptions(
    # A longer pause than this is a timer of the workflow: a worker that waits with
    # the workflow task in its hands can neither be drained nor do anything else.
    local_retry_threshold=timedelta(seconds=0.5),
    start_to_close_timeout=timedelta(seconds=15),
    schedule_to_close_timeout=timedelta(days=30),
    retry_policy=_UNTIL_IT_WORKS,
)

# The same for a command. One that another command blocks is answered at once instead of
# waiting.
COMMAND: LocalOptions = {
    **DATABASE,
    "retry_policy": replace(
        _UNTIL_IT_WORKS, non_retryable_error_types=["step-in-flight"]
    ),
}

# A step at a provider, tried once while the workflow task is held (`local_try`). Real
# providers answer within 0.3 to 1.5 s; a command of the order waits that long at most.
TRY_FOR = timedelta(seconds=1.5)
# With less than this left, a try is not worth it.
SHORTEST_TRY = timedelta(seconds=0.3)
# For the step's own transactions, on top of the provider's time. All of it ends before
# the workflow task (10 s, the server's default), with which its result would be lost.
TRY_MARGIN = timedelta(seconds=5)


def local_try(patience: timedelta) -> LocalOptions:
    """For a step that may take a provider `patience`."""
    return LocalOptions(
        local_retry_threshold=timedelta(seconds=0.5),
        start_to_close_timeout=patience + TRY_MARGIN,
        schedule_to_close_timeout=patience + TRY_MARGIN,
        retry_policy=RetryPolicy(maximum_attempts=1),
    )


# Pause after a provider's step failed for a reason that nobody foresaw.
LOOK_AGAIN_IN = timedelta(minutes=1)

# A dead worker is noticed this soon; living ones send heartbeats by themselves
# (`runtime.heartbeats`).
WORKER_LOST_AFTER = timedelta(seconds=10)

_PROVIDERS = RetryPolicy(
    initial_interval=timedelta(seconds=0.5), maximum_interval=timedelta(seconds=60)
)

# Longer than the adapter's own time-out, so that the adapter gives up first. A
# carrier's time-out is for each of up to three requests of a purchase.
PAYMENT = HeartbeatOptions(
    task_queue=PAYMENTS,
    start_to_close_timeout=timedelta(seconds=60),
    heartbeat_timeout=WORKER_LOST_AFTER,
    retry_policy=_PROVIDERS,
)
CARRIER = HeartbeatOptions(
    task_queue=CARRIERS,
    start_to_close_timeout=timedelta(seconds=90),
    heartbeat_timeout=WORKER_LOST_AFTER,
    retry_policy=_PROVIDERS,
)

# Pause before a child workflow that failed for a reason that nobody foresaw is started
# again.
CHILD_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=5)
)

# Another workflow runs this return's refund, and does not signal its end.
SETTLED_ELSEWHERE_IN = timedelta(minutes=1)

# A batch of short transactions. No heartbeat for so long means that its worker is lost.
STOCK = HeartbeatOptions(
    task_queue=ORDERS,
    start_to_close_timeout=timedelta(minutes=5),
    heartbeat_timeout=timedelta(seconds=30),
    retry_policy=_UNTIL_IT_WORKS,
)

# Hundreds of requests to the provider take this long. No heartbeat for so long means a
# lost worker, since one request takes no longer than the adapter's own time-out.
RECONCILE = HeartbeatOptions(
    task_queue=PAYMENTS,
    start_to_close_timeout=timedelta(minutes=55),
    heartbeat_timeout=timedelta(seconds=90),
    retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=5)),
)


class ExportOptions(HeartbeatOptions):
    schedule_to_close_timeout: timedelta


# Minutes for a million rows, which heartbeat after each part; and again until the file
# would be deleted anyway.
EXPORT = ExportOptions(
    task_queue=ORDERS,
    start_to_close_timeout=timedelta(hours=2),
    schedule_to_close_timeout=EXPORT_LIVES,
    heartbeat_timeout=timedelta(seconds=30),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1)
    ),
)
RETENTION = HeartbeatOptions(
    task_queue=ORDERS,
    start_to_close_timeout=timedelta(hours=2),
    heartbeat_timeout=timedelta(minutes=1),
    retry_policy=RetryPolicy(maximum_attempts=10),
)

ERASURE = HeartbeatOptions(
    task_queue=PAYMENTS,
    start_to_close_timeout=timedelta(hours=2),
    heartbeat_timeout=timedelta(minutes=1),
    retry_policy=RetryPolicy(maximum_attempts=10),
)

# The next sweep comes anyway, so a few tries are enough. But it does not begin before
# this one has ended, so a lost worker must be noticed soon.
SWEEP = HeartbeatOptions(
    task_queue=ORDERS,
    start_to_close_timeout=timedelta(minutes=4),
    heartbeat_timeout=WORKER_LOST_AFTER,
    retry_policy=RetryPolicy(maximum_attempts=3),
)

CLOCKS_APART = timedelta(minutes=1)
"""Upper bound of the difference between Temporal's clock, which wakes a workflow, and
the worker's, which judges the facts. Our deadlines are days: whoever is woken a little
too early must not miss one."""
