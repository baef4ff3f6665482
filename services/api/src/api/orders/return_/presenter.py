"""From a return as it is stored to a return as it is shown."""

from api.orders.return_ import schemas as shown
from api.orders.return_.queries import Return


def show_return(return_: Return) -> shown.Return:
    return shown.Return(
        **return_.model_dump(exclude={"customer", "label_ref", "label_url"}),
        label=return_.label_ref is not None,
    )
