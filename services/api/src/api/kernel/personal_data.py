"""Logs which of the staff has read whose personal data."""

import logging

from api.http.auth import Principal

log = logging.getLogger(__name__)


def log_read(caller: Principal, what: str, *order_ids: str) -> None:
    """Log a read by somebody other than the customer."""
    log.info(
        "personal data was read",
        extra={"actor": caller.subject, "what": what, "order_ids": list(order_ids)},
    )
