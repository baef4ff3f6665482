"""An operator's own hold, over HTTP."""

from typing import Annotated

from pydantic import Field

from api.http.paging import Moment
from api.http.schemas import Note, Request, examples


class NewHold(Request):
    """A hold by hand. Without `due_at` it has no deadline."""

    note: Note
    due_at: Annotated[Moment, Field(strict=False)] | None = None

    model_config = examples({"note": "The customer called."})
