"""Exports over HTTP: files of rows that are written in the background."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator
from shared.contracts.orders.exports import ExportFormat, ExportKind, ExportStatus

from api.http.paging import Moment, end_after
from api.http.schemas import Request, View, examples


class NewExport(Request):
    """Exports rows from `created_from` on and before `created_to`, which is the present
    at the latest: orders and their lines by when the order was placed, refunds by when
    they were requested, stock movements by when they happened. Amounts are in minor
    units."""

    kind: Annotated[ExportKind, Field(strict=False)]
    format: Annotated[ExportFormat, Field(strict=False)] = ExportFormat.CSV
    created_from: Annotated[Moment, Field(strict=False)] | None = None
    created_to: Annotated[Moment, Field(strict=False)] | None = None

    model_config = examples({"kind": "lines", "created_from": "2026-11-01T00:00:00Z"})

    @field_validator("created_to")
    @classmethod
    def _ends_after_it_begins(
        cls, end: datetime | None, others: ValidationInfo
    ) -> datetime | None:
        return end_after(end, others)


class Export(View):
    """`rows_written` of about `rows_expected` are written. A `done` export has its
    `file` until `expires_at`; one that was not finished by then has `failed`."""

    id: str
    kind: ExportKind
    format: ExportFormat
    status: ExportStatus
    created_from: datetime | None
    created_to: datetime
    rows_expected: int
    rows_written: int
    bytes: int
    file: str | None
    requested_by: str
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime
