"""What customers are told, in words: the templates, and what is filled into them."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from console.customer import language as pages
from jinja2 import UndefinedError
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.messages import NOTIFIED_EVENTS, STAFF_EVENTS
from shared.database.orders.snapshot import OrderSnapshot, ReturnLine
from worker.orders.notifications.customers import greeted_as
from worker.orders.notifications.rendering import CATALOGUES, TEMPLATES, Renderer

PROJECT = Path(__file__).parents[2]
PARTS = {"layout", "lines"}
render = Renderer().render


def templates(ending: str) -> set[str]:
    return {file.stem for file in TEMPLATES.glob(f"*.{ending}")} - PARTS


A_LINE = {
    **{"line": 1, "sku": "TEA", "name": "Tea", "qty": 2, "total": 2580, "tax": 0},
    **dict.fromkeys(("cancelled", "reserved", "captured", "shipped", "voided"), 0),
    **dict.fromkeys(("returned", "credited"), 0),
}
CUSTOMER_HOLDS = (HoldReason.PAYMENT, HoldReason.ADDRESS, HoldReason.STOCK)
"""What a customer can end."""


def told() -> set[str]:
    plain = {name for name in NOTIFIED_EVENTS if not name.startswith("hold.")}
    return plain | {f"hold.{reason}" for reason in CUSTOMER_HOLDS}


@pytest.mark.parametrize("ending", ["txt", "html"])
def test_whatever_is_told_has_its_template_and_no_other_does(ending: str) -> None:
    assert templates(ending) == told() | STAFF_EVENTS


@pytest.mark.parametrize("event", sorted(NOTIFIED_EVENTS))
def test_whatever_is_told_happens_somewhere(event: str) -> None:
    files = [*PROJECT.glob("services/*/src/**/*.py"), *PROJECT.glob("libs/**/*.py")]
    sources = ["".join(file.read_text().split()) for file in files]
    happens = [source for source in sources if f'event("{event}"' in source]
    assert happens or event == "order.placed"


@pytest.mark.parametrize("name", sorted(told()))
@pytest.mark.parametrize("locale", ["en", "de-DE", "fr", "ar", None, "xx-nonsense"])
def test_every_template_can_be_filled(name: str, locale: str | None) -> None:
    rendered = render(name, a_context(), locale=locale, currency="EUR")
    assert "77" in rendered.subject + rendered.text
    assert "Ada" in rendered.text
    assert "Ada" in rendered.html


def said(templates: Path) -> set[str]:
    """In English, by the templates."""
    options = {"newstyle_gettext": "true", "trim_blocks": "true"}
    found = extract_from_dir(
        templates, [("**", "jinja2.ext:babel_extract")], {"**": options}
    )
    return {message for _, _, message, _, _ in found if isinstance(message, str)}


@pytest.mark.parametrize("language", ["de", "fr"])
@pytest.mark.parametrize(
    ("templates", "catalogues"),
    [
        pytest.param(TEMPLATES, CATALOGUES, id="mails"),
        pytest.param(pages.TEMPLATES / "customer", pages.CATALOGUES, id="pages"),
    ],
)
def test_a_catalogue_says_all_of_it_and_nothing_else(
    templates: Path, catalogues: Path, language: str
) -> None:
    """So customers' pages speak the languages of the mails that lead to them."""
    with (catalogues / f"{language}.po").open("rb") as file:
        messages = [message for message in read_po(file) if message.id]
    translated = {message.id for message in messages if message.string}
    assert translated == said(templates)
    for message in messages:
        english, translation = str(message.id), str(message.string)
        assert placeholders(english) == placeholders(translation), english


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"%\(\w+\)s", text))


@pytest.mark.parametrize(
    ("locale", "subject", "total"),
    [
        ("de", "Wir haben Ihre Bestellung 77", "30,70\xa0€"),
        ("de_AT", "Wir haben Ihre Bestellung 77", "€\xa030,70"),
        ("fr-CH", "Nous avons reçu votre commande 77", "30,70\xa0€"),
        ("ar", "We have your order 77", "€30.70"),
    ],
)
def test_a_mail_is_in_one_language_with_its_amounts(
    locale: str, subject: str, total: str
) -> None:
    rendered = render("order.placed", a_context(), locale=locale, currency="EUR")
    assert rendered.subject == subject
    assert total in rendered.text.replace("\u202f", "\xa0")


def test_a_shop_brings_a_language_and_words_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "it.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        'msgid "We have your order %(number)s"\n'
        'msgstr "È arrivato il Suo ordine %(number)s"\n'
    )
    (tmp_path / "layout.txt").write_text(
        "{% block subject %}{% endblock %}\n\nTea Shop: {% block body %}{% endblock %}"
    )
    rendered = Renderer(tmp_path).render(
        "order.placed", a_context(), locale="it-IT", currency="EUR"
    )
    assert rendered.subject == "È arrivato il Suo ordine 77"
    assert rendered.text.startswith("Tea Shop: ")
    assert '<html lang="it">' in rendered.html


def test_a_template_with_a_gap_is_not_sent() -> None:
    incomplete = a_context()
    del incomplete["order"]
    with pytest.raises(UndefinedError):
        render("order.placed", incomplete, locale="en", currency="EUR")


@pytest.mark.parametrize(
    ("locale", "currency", "amount", "day"),
    [
        ("en", "EUR", "€30.70", "March 2, 2026"),
        ("de-DE", "EUR", "30,70\xa0€", "2. März 2026"),
        ("en-GB", "JPY", "JP¥3,070", "2 March 2026"),
        ("en", "KWD", "KWD3.070", "March 2, 2026"),
        # There are no para coins any more, but prices still have them.
        ("en", "RSD", "RSD30.70", "March 2, 2026"),
        ("xx", "EUR", "€30.70", "March 2, 2026"),
    ],
)
def test_amounts_and_dates_are_written_as_people_write_them(
    locale: str, currency: str, amount: str, day: str
) -> None:
    text = render("order.placed", a_context(), locale=locale, currency=currency).text
    assert amount in text
    assert day in text


@pytest.mark.parametrize(
    ("name", "greeted"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("  Zoë  O’Brien-Müller, Jr. ", "Zoë O’Brien-Müller, Jr."),
        ("J.R.R. Tolkien", "J.R.R. Tolkien"),
        ("अदिति शर्मा", "अदिति शर्मा"),
        ("Pay at https://evil.example", ""),
        ("Ada evil.example", ""),
        ("Ada t.co/x", ""),
        ("Ada x。example", ""),
        ("Call 0900 123456", ""),
        ("Ada\n\nPay now", "Ada Pay now"),
        ("<a href=x>Ada</a>", ""),
        ("Ada\u202e", ""),
        ("=?utf-8?q?Ada?=", ""),
        ("a" * 61, ""),
        (None, ""),
    ],
)
def test_a_greeting_has_a_plain_name_or_none(name: str | None, greeted: str) -> None:
    assert greeted_as(name) == greeted
    text = render(
        *("order.placed", a_context() | {"name": greeted}), locale="en", currency="EUR"
    ).text
    assert text.startswith(f"Hello {greeted}," if greeted else "Hello,")


def test_a_name_is_no_markup() -> None:
    context = a_context() | {"name": "<b>Ada</b>"}
    rendered = render("order.placed", context, locale="en", currency="EUR")
    assert "<b>Ada" in rendered.text
    assert "&lt;b&gt;Ada" in rendered.html


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lines": [{**A_LINE, "discounts": [{"code": "X", "amount": 500}]}]}, "5.00"),
        ({"lines": [{**A_LINE, "tax": 206}]}, "Taxes of €2.06 are included"),
    ],
)
def test_a_customer_reads_what_they_save_and_what_is_tax(
    changed: dict[str, Any], said: str
) -> None:
    order = OrderSnapshot.model_validate(AN_ORDER | changed)
    for context, expected in (
        (a_context() | {"order": order}, True),
        (a_context(), False),
    ):
        rendered = render("order.placed", context, locale="en", currency="EUR")
        assert (said in rendered.text) is expected
        assert (said in rendered.html) is expected


@pytest.mark.parametrize("name", ["refund.succeeded", "return.received"])
def test_a_customer_reads_what_is_kept_of_worn_goods(name: str) -> None:
    order = a_context()["order"]
    line = {"line": 1, "quantity": 1, "amount": 800, "tax": 0, "deduction": 250}
    came = {"line": 1, "qty": 1, "reason": "x", "accepted": 1, "disposition": "discard"}
    lines = (ReturnLine(**came, deduction=250),)
    worn = {
        "refund": order.refunds[0].model_copy(update={"lines": (line,)}),
        "return_": order.returns[0].model_copy(update={"lines": lines}),
    }
    for context, expected in ((a_context() | worn, True), (a_context(), False)):
        rendered = render(name, context, locale="en", currency="EUR")
        for text in (rendered.text, rendered.html):
            assert ("We keep €2.50 of the price" in text) is expected
            assert ("worn or damaged" in text) is expected


def test_nobody_pays_for_what_costs_nothing() -> None:
    free = AN_ORDER | {"total": 0, "shipping": 0, "shipping_captured": 0}
    context = a_context() | {"order": OrderSnapshot.model_validate(free)}
    rendered = render("order.confirmed", context, locale="en", currency="EUR")
    for text in (rendered.text, rendered.html):
        assert "It costs you nothing" in text
        assert "You pay" not in text


# ── an order with something of everything ───────────────────────────────────────────


def a_context() -> dict[str, Any]:
    order = OrderSnapshot.model_validate(AN_ORDER)
    return {
        "name": "Ada",
        "link": "https://shop.example.com/orders/1",
        "label_link": "https://shop.example.com/returns/1",
        "numbers": "SIM1, SIM2",
        "order": order,
        "shipment": order.shipments[0],
        "return_": order.returns[0],
        "refund": order.refunds[0],
        "hold": order.holds[0],
        "lines": [{"quantity": 2, "name": "Tea"}],
        "reminder": True,
        "minutes": 30,
    }


AT = datetime(2026, 3, 2, 8, tzinfo=UTC)
AN_ORDER: dict[str, Any] = {
    "id": "ord_1",
    "number": 77,
    "external_ref": None,
    "customer": "ada",
    "status": "completed",
    "payment_status": "captured",
    "fulfillment_status": "delivered",
    "reason": None,
    "currency": "EUR",
    "shipping_method": "standard",
    "shipping": 490,
    "shipping_captured": 490,
    "shipping_credited": 0,
    "goodwill": 0,
    "total": 3070,
    "ship_partial": False,
    "cancel_wanted": None,
    "metadata": {},
    "version": 9,
    "created_at": AT,
    "updated_at": AT,
    "allocated": True,
    "approved": False,
    "lines": [],
    "holds": [
        {
            "id": "hld_1",
            "subject": "ord_1",
            "root": "ord_1",
            "reason": "stock",
            "detail": {},
            "placed_by": "system",
            "placed_at": AT,
            "remind_at": None,
            "reminded_at": None,
            "due_at": AT,
            "escalated_at": None,
            "assignee": None,
            "released_at": None,
            "decision": None,
            "decided_by": None,
            "note": None,
        }
    ],
    "shipments": [
        {
            "id": "shp_1",
            "status": "delivered",
            "location": "berlin",
            "amount": 3070,
            "capture_id": "led_1",
            "captured_at": AT,
            "parcel": None,
            "cancel_wanted": None,
            "carrier": "Road",
            "tracking": "R-1",
            "label_ref": "lbl_1",
            "tracking_status": "delivered",
            "tracking_at": AT,
            "eta": AT.date(),
            "created_at": AT,
            "shipped_at": AT,
            "delivered_at": AT,
            "lines": [],
        }
    ],
    "refunds": [
        {
            "id": "ref_1",
            "return_id": None,
            "reason": "goodwill",
            "amount": 500,
            "shipping": 0,
            "goodwill": 500,
            "status": "succeeded",
            "lines": [],
            "requested_by": "grace",
            "approved_by": None,
            "created_at": AT,
        }
    ],
    "returns": [
        {
            "id": "ret_1",
            "status": "approved",
            "tracking": "R-2",
            "label_ref": None,
            "due_at": AT,
            "remind_at": None,
            "requested_by": "ada",
            "created_at": AT,
            "lines": [],
        }
    ],
}
