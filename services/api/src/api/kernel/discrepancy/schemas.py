"""Discrepancies over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from api.http.paging import ListQuery
from api.http.schemas import Note, Request, View, Word, examples


class DiscrepancyQuery(ListQuery):
    """The open ones, unless `open=false` asks for those that are resolved."""

    kind: Word | None = None
    subject: Word | None = None
    is_open: Annotated[bool, Field(alias="open")] = True


class Resolution(Request):
    note: Note

    model_config = examples(
        {"note": "Captured by hand at the provider, see ticket 42."}
    )


class Discrepancy(View):
    id: str
    kind: str
    subject: str
    detail: dict[str, Any]
    found_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    note: str | None


class AuditRow(View):
    """A row of an audit view: a fault in the books."""

    view: str
    subject: str
    detail: dict[str, Any]
