"""Every time-out and retry of the order workflows, with its reason."""

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


# Nobody gives up: an outage ends some day, and an operator sees the attempts.
_UNTIL_IT_WORKS = RetryPolicy(
    initial_interval=timedelta(seconds=0.2),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=10),
)

# A transaction of a few milliseconds; what takes longer waits for a lock or a pool.
DATABASE = LocalOptions(
    # A longer pause than this is a timer of the workflow: a worker that waits with
    # the workflow task in its hands can neither be drained nor do anything else.
    local_retry_threshold=timedelta(seconds=0.5),
    start_to_close_timeout=timedelta(seconds=15),
    schedule_to_close_timeout=timedelta(days=30),
    retry_policy=_UNTIL_IT_WORKS,
)

# The same for a command: what another command keeps it from is answered at once, and
# not waited for.
COMMAND = LocalOptions(
    local_retry_threshold=timedelta(seconds=0.5),
    start_to_close_timeout=timedelta(seconds=15),
    schedule_to_close_timeout=timedelta(days=30),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=0.2),
        backoff_coefficient=2,
        maximum_interval=timedelta(seconds=10),
        non_retryable_error_types=["step-in-flight"],
    ),
)

# A step at a provider, tried once while the workflow task is held (`local_try`). Real
# providers answer within 0.3 to 1.5 s; a command of the order waits that long at most.
TRY_FOR = timedelta(seconds=1.5)
# What is left of it is not worth a try when it is less than this.
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


# A provider's step that was refused for a reason nobody foresaw: look again, but not in
# a rush.
LOOK_AGAIN_IN = timedelta(minutes=1)

# A worker that died is missed this soon; the worker itself says that it is alive
# (`runtime.heartbeats`).
WORKER_LOST_AFTER = timedelta(seconds=10)

# Twice the adapter's own time-out, so that the adapter's comes first. A carrier's is
# for each of up to three requests of a purchase.
PAYMENT = HeartbeatOptions(
    task_queue=PAYMENTS,
    start_to_close_timeout=timedelta(seconds=60),
    heartbeat_timeout=WORKER_LOST_AFTER,
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=0.5),
        maximum_interval=timedelta(seconds=60),
    ),
)
CARRIER = HeartbeatOptions(
    task_queue=CARRIERS,
    start_to_close_timeout=timedelta(seconds=90),
    heartbeat_timeout=WORKER_LOST_AFTER,
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=0.5),
        maximum_interval=timedelta(seconds=60),
    ),
)

# A child that fails for a reason nobody foresaw is tried again, but not in a rush.
CHILD_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=5)
)

# Somebody else runs this return's refund, and will not tell us when it has ended.
SETTLED_ELSEWHERE_IN = timedelta(minutes=1)

# A batch of short transactions; one that is silent for so long has lost its worker.
STOCK = HeartbeatOptions(
    task_queue=ORDERS,
    start_to_close_timeout=timedelta(minutes=5),
    heartbeat_timeout=timedelta(seconds=30),
    retry_policy=_UNTIL_IT_WORKS,
)

# Hundreds of looks at the provider, and as long as that takes; silence is a lost
# worker, since one look takes no longer than the adapter's own time-out.
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
