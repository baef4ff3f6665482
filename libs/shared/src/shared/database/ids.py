"""Ids for new rows: a prefix and a UUIDv7 in Crockford's base32."""

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str) -> str:
    """`new_id("ord")` → `ord_01k…`: unique everywhere, and sorts by the time it was
    made."""
    unix_ms = time.time_ns() // 1_000_000
    chance = int.from_bytes(os.urandom(10))
    # RFC 9562, 5.7: 48 bits of time, version 7, 12 random bits, variant 2, 62 more.
    value = unix_ms << 80 | 7 << 76 | (chance >> 68) << 64 | 2 << 62
    value |= chance & ((1 << 62) - 1)
    return f"{prefix}_" + "".join(
        _ALPHABET[value >> shift & 31] for shift in range(125, -5, -5)
    )
