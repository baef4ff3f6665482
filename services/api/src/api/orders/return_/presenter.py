"""Turns a stored return into what callers see."""

from api.orders.return_ import schemas as shown
from api.orders.return_.queries import Return

_SAME = Return.model_fields.keys() & shown.Return.model_fields


def show_return(return_: Return) -> shown.Return:
    return shown.Return(
        **{name: getattr(return_, name) for name in _SAME},
        label=return_.label_ref is not None,
    )
