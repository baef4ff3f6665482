"""The payment simulator's forms: any bytes are read or refused, never a failure of its
own; a product is only as well tested as the peer that it is tested against."""

from urllib.parse import parse_qsl, quote_from_bytes, urlencode

from hypothesis import given
from hypothesis import strategies as st
from simulators.payments.answers import StripeError
from simulators.payments.form import decode_form, encode_flat
from stripe._encode import _api_encode

from tests.fuzz.exploring import explored
from tests.support.peers import Peer

NAMES = st.sampled_from(
    ["amount", "currency", "metadata", "expand", "confirm", "payment_method", "reason"]
) | st.text(max_size=5)
BRACKETS = st.sampled_from(["", "[]", "[0]", "[a]", "[a][b]", "[", "]", "[[]]", "[²]"])
VALUES = st.text(max_size=8) | st.sampled_from(
    ["1", "-1", "eur", "true", "pm_card_visa"]
)
FORMS = st.lists(st.tuples(NAMES, BRACKETS, VALUES), max_size=6).map(
    lambda parts: urlencode([(n + b, v) for n, b, v in parts], errors="replace")
)
PATHS = st.sampled_from(
    [
        "/v1/payment_intents",
        "/v1/payment_intents/pi_1",
        "/v1/payment_intents/pi_1/capture",
        "/v1/payment_intents/pi_1/cancel",
        "/v1/refunds",
        "/v1/customers",
        "/v1/payment_methods",
        "/v1/nothing",
    ]
)


@explored(200)
@given(form=FORMS)
def test_a_form_that_is_read_is_read_as_the_sdk_would_write_it(form: str) -> None:
    try:
        read = decode_form(form.encode())
    except StripeError:
        return
    written = urlencode(list(_api_encode(read)))
    assert encode_flat(decode_form(written.encode())) == encode_flat(read)


@explored(100)
@given(st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), VALUES))
def test_a_flat_form_is_what_python_reads(pairs: dict[str, str]) -> None:
    encoded = urlencode(pairs)
    assert decode_form(encoded.encode()) == dict(
        parse_qsl(encoded, keep_blank_values=True)
    )


@explored(60)
@given(
    path=PATHS,
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    form=FORMS | st.binary(max_size=60),
    key=st.none() | st.text(st.characters(max_codepoint=126), max_size=20),
)
async def test_no_request_breaks_the_payment_simulator(
    payments: Peer, path: str, method: str, form: str | bytes, key: str | None
) -> None:
    headers = {
        "Authorization": "Bearer sk_test_core",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    if key and key.isprintable():
        headers["Idempotency-Key"] = key
    if method == "POST":
        answer = await payments.http.post(path, content=form, headers=headers)
    else:
        query = quote_from_bytes(form.encode() if isinstance(form, str) else form, "=&")
        answer = await payments.http.request(method, f"{path}?{query}", headers=headers)
    assert answer.status_code < 500, answer.text
