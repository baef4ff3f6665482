"""Lists in pages, by keyset: a page costs the same however far down it is."""

import base64
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from zlib import crc32

from fastapi import Request, Response
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from api.http.forms import written_as
from api.http.problems import invalid
from api.http.schemas import View

R = TypeVar("R")


def _storable(moment: datetime) -> datetime:
    # Times near the ends of the calendar overflow when converted to UTC.
    if not 1970 <= moment.year <= 2999:
        raise ValueError("must lie between 1970 and 2999")
    return moment.astimezone(UTC)


_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def _written(value: object) -> object:
    # Otherwise a number would be read as seconds, or as milliseconds if it is large.
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        raise ValueError("must be a time as RFC 3339 has it: 2026-01-31T12:00:00Z")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_storable)]
_Opaque = Annotated[
    str, written_as(r"^[A-Za-z0-9_-]{1,400}$", "the next_cursor of this list")
]


def end_after(end: datetime | None, others: ValidationInfo) -> datetime | None:
    """Check a field `…_to`: it must lie after `…_from`, which is declared before it."""
    begins = f"{(others.field_name or '').removesuffix('_to')}_from"
    begin = others.data.get(begins)
    if begin is not None and end is not None and end <= begin:
        raise PydanticCustomError("empty-range", f"must be after {begins}")
    return end


class ListQuery(BaseModel):
    """Query parameters that every list takes. Unknown ones are refused: otherwise a
    misspelt filter would list everything."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: _Opaque | None = None

    @field_validator("created_to", "updated_to", check_fields=False)
    @classmethod
    def _ends_after_it_begins(
        cls, end: datetime | None, others: ValidationInfo
    ) -> datetime | None:
        return end_after(end, others)

    def position(
        self,
        request: Request,
        *kinds: Callable[[Any], object],
        at: str = "query:cursor",
    ) -> list[Any] | None:
        """The cursor's row, as values of these kinds; the page begins after it."""
        if self.cursor is None:
            return None
        try:
            padded = self.cursor + "=" * (-len(self.cursor) % 4)
            of_list, *values = json.loads(base64.urlsafe_b64decode(padded))
            if of_list != _list(request):
                raise ValueError("of another list")
            return [kind(value) for kind, value in zip(kinds, values, strict=True)]
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise invalid(at, "cursor", "Not from this list") from error


def _list(request: Request) -> int:
    """Identifies the list of a cursor and its order, so that no other list accepts the
    cursor."""
    sort = request.query_params.get("sort", "")
    return crc32(f"{request.scope['path']} {sort}".rstrip().encode())


def moment(value: object) -> datetime:
    """A time in a cursor."""
    return _storable(datetime.fromisoformat(text(value)))


def text(value: object) -> str:
    """A text in a cursor that PostgreSQL can take."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("not a text")
    value.encode()  # refuses half of a surrogate pair
    return value


def number(value: object) -> int:
    """A number in a cursor that PostgreSQL can take as `bigint`."""
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError("not a number")
    return value


def cursor_after(request: Request, *position: object) -> str:
    values = [
        value.isoformat() if isinstance(value, datetime) else value
        for value in (_list(request), *position)
    ]
    encoded = json.dumps(values, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(encoded).rstrip(b"=").decode()


def page_response(
    request: Request,
    rows: Sequence[R],
    limit: int,
    show: Callable[[R], View | str],
    position: Callable[[R], tuple[object, ...]],
) -> Response:
    """A page of `limit` rows; an extra row among `rows` shows that another page
    follows."""
    shown = [show(row) for row in rows[:limit]]
    following = None
    if len(rows) > limit:
        following = cursor_after(request, *position(rows[limit - 1]))
    return page_of(request, shown, following)


def page_of(
    request: Request, shown: Sequence[View | str], following: str | None
) -> Response:
    """The answer for a list: its views, or their JSON, and the cursor of the next
    page."""
    headers = {}
    if following is not None and request.method == "GET":
        url = request.url.include_query_params(cursor=following)
        headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    # One by one, because writing one blocks the process.
    data = ",".join(
        view if isinstance(view, str) else view.model_dump_json() for view in shown
    )
    body = f'{{"data":[{data}],"next_cursor":{json.dumps(following)}}}'
    return Response(body, headers=headers, media_type="application/json")
