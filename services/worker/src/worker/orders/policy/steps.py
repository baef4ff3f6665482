"""What an order, a refund or a return may need next: the words that their rules
answer with."""

from dataclasses import dataclass
from datetime import datetime

from shared.contracts.base import HoldId, PaymentId, RefundId, ShipmentId


@dataclass(frozen=True)
class Reserve:
    """Reserve stock for every line."""


@dataclass(frozen=True)
class Authorize:
    """Cover the amount that is still to be captured."""


@dataclass(frozen=True)
class Confirm:
    """Screen the order and promise it to the customer."""


@dataclass(frozen=True)
class PlanShipments:
    """Turn reservations into parcels."""


@dataclass(frozen=True)
class StartShipments:
    shipments: tuple[ShipmentId, ...]


@dataclass(frozen=True)
class StartRefunds:
    refunds: tuple[RefundId, ...]


@dataclass(frozen=True)
class Release:
    """Give back an authorisation that nobody needs."""

    payment: PaymentId


@dataclass(frozen=True)
class Remind:
    hold: HoldId


@dataclass(frozen=True)
class ExpireHold:
    hold: HoldId


@dataclass(frozen=True)
class Complete:
    """All goods have arrived or were written off."""


@dataclass(frozen=True)
class Wait:
    """Until somebody nudges, or until this moment."""

    until: datetime | None = None


@dataclass(frozen=True)
class End:
    """Nothing is left to do, nor to undo."""


@dataclass(frozen=True)
class AskProvider:
    """Have the money paid back, or hear how far it is."""


@dataclass(frozen=True)
class ArrangeReturn:
    """Buy the label for the way back; from then on the goods are awaited."""


@dataclass(frozen=True)
class RemindOfReturn:
    pass


@dataclass(frozen=True)
class ExpireReturn:
    """The goods did not come in time."""


@dataclass(frozen=True)
class CloseReturn:
    """The goods are here, and what they are worth is paid back."""


OrderStep = (
    Reserve
    | Authorize
    | Confirm
    | PlanShipments
    | StartShipments
    | StartRefunds
    | Release
    | Remind
    | ExpireHold
    | Complete
    | Wait
    | End
)
RefundStep = AskProvider | Remind | ExpireHold | Wait | End
ReturnStep = (
    ArrangeReturn
    | RemindOfReturn
    | ExpireReturn
    | StartRefunds
    | CloseReturn
    | Remind
    | ExpireHold
    | Wait
    | End
)
