"""Stripe's forms: what the SDK encodes is what the simulator reads."""

from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulators.payments.answers import StripeError
from simulators.payments.form import decode_form
from stripe._encode import _api_encode

NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
VALUES = st.recursive(
    st.text(min_size=1, max_size=8),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(NAMES, inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_what_the_sdk_encodes_is_read_as_it_was_meant(params: dict[str, Any]) -> None:
    encoded = urlencode(list(_api_encode(params)))
    assert decode_form(encoded.encode()) == params


def test_empty_brackets_append() -> None:
    assert decode_form(b"expand[]=a&expand[]=b") == {"expand": ["a", "b"]}


@given(st.binary(max_size=200))
def test_no_input_breaks_the_reader(encoded: bytes) -> None:
    with suppress(StripeError):
        decode_form(encoded)


@pytest.mark.parametrize(
    "encoded",
    [b"a=1&a[b]=2", b"a[b]=1&a=2", b"a[=1", b"a]b=1", b"a" + b"[b]" * 20 + b"=1"],
)
def test_contradictory_names_are_refused(encoded: bytes) -> None:
    with pytest.raises(StripeError):
        decode_form(encoded)


@pytest.mark.parametrize("keys", [["5"], ["2026", "7"], ["0", "2"], ["01"]])
def test_names_of_digits_are_kept(keys: list[str]) -> None:
    encoded = urlencode([(f"metadata[{key}]", "x") for key in keys])
    assert decode_form(encoded.encode()) == {"metadata": dict.fromkeys(keys, "x")}
