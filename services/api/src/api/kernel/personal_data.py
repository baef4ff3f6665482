"""Who of the staff has read what of a person: a line of the log for each."""

import logging

from api.http.auth import Principal

log = logging.getLogger(__name__)


def log_read(caller: Principal, what: str, *order_ids: str) -> None:
    """For a caller who reads what is not their own."""
    log.info(
        "personal data was read",
        extra={"actor": caller.subject, "what": what, "order_ids": list(order_ids)},
    )
