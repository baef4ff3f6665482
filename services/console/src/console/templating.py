"""Renders pages from templates: everything is escaped, nothing is inline."""

import hashlib
import uuid
from datetime import timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from markupsafe import Markup
from starlette.staticfiles import StaticFiles

from console import display, words

_HERE = Path(str(files("console")))
FLASH = "flash"
_A_MINUTE = timedelta(minutes=1)


class _Lasting(StaticFiles):
    """Static files, cached for ever: their addresses contain their hash."""

    async def get_response(self, path: str, scope: Any) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer


def static_files() -> StaticFiles:
    return _Lasting(directory=_HERE / "static")


@cache
def asset(name: str) -> str:
    digest = hashlib.sha256((_HERE / "static" / name).read_bytes()).hexdigest()
    return f"/static/{name}?{digest[:12]}"


def icon_of(name: str) -> Markup:
    return Markup(
        '<svg class="icon" aria-hidden="true" focusable="false" viewBox="0 0 24 24">'
        '<use href="{}#{}"></use></svg>'
    ).format(asset("icons.svg"), name)


def new_key() -> str:
    """For a form: sent twice, it acts once."""
    return str(uuid.uuid4())


@cache
def environment() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "money": display.money,
        "time": display.time_tag,
        "initials": display.initials,
        "status": words.status_of,
        "tone": words.tone_of,
        "event": words.event_of,
        "spoken": words.spoken,
        "units": words.units,
        "reason": words.reason_of,
        "who_decides": words.who_decides,
        "by": words.by,
    }
    found.globals |= {
        "asset": asset,
        "icon_of": icon_of,
        "sum_of": display.sum_of,
        "urgency": display.urgency,
        "share_left": display.share_left,
        "choice_of": words.choice_of,
        "cause_of": words.cause_of,
        "findings_of": words.findings_of,
        "wrong_of": words.wrong_of,
        "then_of": words.then_of,
        "new_key": new_key,
        "next_step_of": words.next_step_of,
        "SILENCE": words.SILENCE,
        "DISPOSITIONS": words.DISPOSITIONS,
    }
    return found


def page(
    request: Request, template: str, *, status_code: int = 200, **context: Any
) -> Response:
    """The page, or with `context["part"]` the block of that name alone."""
    person = getattr(request.state, "person", None)
    told = None
    if "hx-request" not in request.headers:
        # A part that reloads itself must not consume the next page's message.
        told = request.app.state.cookies.read(request, FLASH, _A_MINUTE)
    context = {
        "path": request.url.path,
        "query": request.query_params,
        "person": person,
        "dev": request.app.state.issuer is None,
        "flash": told,
        **context,
    }
    found = environment().get_template(template)
    part = context.get("part")
    if part:
        text = "".join(found.blocks[part](found.new_context(context)))
    else:
        text = found.render(context)
    answer = HTMLResponse(text, status_code)
    if told is not None and not part:
        request.app.state.cookies.drop(answer, FLASH)
    return answer


def flash(
    request: Request, answer: Response, text: str, tone: str = "good"
) -> Response:
    """Show `text` on the next page."""
    cookies = request.app.state.cookies
    cookies.write(answer, FLASH, {"text": text[:300], "tone": tone})
    return answer
