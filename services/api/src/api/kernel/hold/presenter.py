"""From a hold as it is stored to a hold as it is shown."""

from shared.contracts.holds import HoldRule

from api.kernel.hold import schemas as shown
from api.kernel.hold.queries import Hold


def show_hold(hold: Hold, rule: HoldRule) -> shown.Hold:
    return shown.Hold(
        **hold.model_dump(),
        order_id=hold.root,
        decisions=list(rule.decisions) if hold.released_at is None else [],
    )
