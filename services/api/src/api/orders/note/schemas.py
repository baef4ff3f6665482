"""Notes over HTTP."""

from datetime import datetime

from api.http.schemas import Note as Text
from api.http.schemas import Request, View, examples


class NewNote(Request):
    text: Text

    model_config = examples({"text": "Leave it with the neighbours."})


class Kept(View):
    """Leaves the text out: answers are stored under their idempotency keys."""

    order_id: str
    actor: str


class Note(View):
    """`about` is the id of a hold, parcel, return or refund, `cancellation`, or the
    order. Notes of earlier versions have no author."""

    text: str
    at: datetime
    actor: str | None
    about: str | None
