"""The labels of many parcels in one PDF, as the carriers made them."""

import asyncio
from collections.abc import Sequence
from io import BytesIO

from shared.contracts.errors import Refusal

from api.http.dependencies import Dependencies
from api.http.problems import Unavailable
from api.orders.shipment.labels import Labelled, fetch_label
from api.orders.shipment.queries import read_shipments

MOST_LABELS = 200
"""Packages of all parcels together."""
MOST_BYTES = 25 * 1024 * 1024
MOST_PAGES = 10
"""Pages of one label."""
LONGEST_SECONDS = 30.0
_AT_ONCE = 6


async def read_labels(deps: Dependencies, ids: Sequence[str]) -> list[bytes]:
    """A PDF for each box, in the order of `ids`. Raises `Refusal` not-found, no-label,
    document-too-large, and `Unavailable` where a carrier gives one not out."""
    boxes: list[Labelled] = []
    lacking = []
    for shipment in await read_shipments(deps, ids):
        found = [box for box in shipment.packages if box.label_ref is not None]
        boxes += found
        if not found:
            lacking.append(shipment.id)
    if lacking:
        raise Refusal(
            "no-label",
            f"No label has been bought for {', '.join(lacking)}: pack them, or leave"
            " them out.",
            shipments=lacking,
        )
    _check_size(len(boxes) <= MOST_LABELS)
    turn, fetched = asyncio.Semaphore(_AT_ONCE), 0

    async def fetch(box: Labelled) -> bytes:
        nonlocal fetched
        async with turn:
            _check_size(fetched <= MOST_BYTES)
            label = await fetch_label(deps.http, deps.settings, box)
        fetched += len(label)
        return label

    try:
        async with asyncio.timeout(LONGEST_SECONDS), asyncio.TaskGroup() as group:
            tasks = [group.create_task(fetch(box)) for box in boxes]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    except TimeoutError as slow:
        raise Unavailable(
            "The carrier takes too long: ask for fewer parcels at once."
        ) from slow
    _check_size(fetched <= MOST_BYTES)
    return [task.result() for task in tasks]


def _check_size(fits: bool) -> None:
    """Raises `Refusal`."""
    if not fits:
        raise Refusal(
            "document-too-large",
            f"There are more than {MOST_LABELS} labels, or {MOST_BYTES >> 20} MiB of"
            " them: ask for fewer parcels at once.",
        )


def merged(labels: Sequence[bytes]) -> bytes:
    """One PDF. Raises `Unavailable` for one that cannot be read, or is a book."""
    from pypdf import PdfReader, PdfWriter  # 11 MB, as `sheet.py` says
    from pypdf.errors import PyPdfError

    with PdfWriter() as writer:
        for label in labels:
            try:
                pages = PdfReader(BytesIO(label)).pages
                if len(pages) > MOST_PAGES:
                    raise PyPdfError("too many pages")
                for page in pages:
                    writer.add_page(page)
            except (PyPdfError, ValueError, KeyError, TypeError, RecursionError) as bad:
                raise Unavailable("The carrier's label is no PDF.") from bad
        written = BytesIO()
        writer.write(written)
    return written.getvalue()
