"""What people wrote about an order."""

from datetime import datetime

from pydantic import ConfigDict

from api.http.schemas import Note as Text
from api.http.schemas import Request, View


class NewNote(Request):
    text: Text

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "Leave it with the neighbours."}]}
    )


class Kept(View):
    """Not the text: what callers are answered is kept under their keys."""

    order_id: str
    actor: str


class Note(View):
    """`about`: a hold, a parcel, a return or a refund by its id, `cancellation`, or the
    order. Who wrote the older ones is not known."""

    text: str
    at: datetime
    actor: str | None
    about: str | None
