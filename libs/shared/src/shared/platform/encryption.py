"""Payloads that only we can read: AES-256-GCM between us and what Temporal keeps.

A second line of defence, and off without keys: no personal data is in a payload in the
first place. Not hidden are workflow ids, search attributes and the
types of activities and failures.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
)

from shared.platform.converter import DATA_CONVERTER
from shared.platform.settings import PayloadSettings, SettingsError

ENCODING = b"binary/encrypted"
CIPHER = b"AES-256-GCM"
NONCE_BYTES = 12


class Unreadable(Exception):
    """A payload that our keys do not open. A worker's task fails and is tried again,
    so that the order waits for a worker that has the key."""


class Encryption(PayloadCodec):
    """Writes with the active key, reads with any; what is not encrypted is let through,
    so that it can be switched on while orders are under way."""

    def __init__(
        self, read_keys: Callable[[], Mapping[str, bytes]], active: str | None
    ) -> None:
        """Without an `active` key it only reads. An unknown key is looked for once more
        by `read_keys`: its file may have got a new one."""
        self._read_keys = read_keys
        self._active = active
        self._ciphers = self._read()

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        if self._active is None:
            return list(payloads)
        return [self._seal(payload, self._active) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Raises `Unreadable`."""
        return [
            self._open(payload)
            if payload.metadata.get("encoding") == ENCODING
            else payload
            for payload in payloads
        ]

    def _seal(self, payload: Payload, key_id: str) -> Payload:
        name, nonce = key_id.encode(), os.urandom(NONCE_BYTES)
        sealed = self._cipher(key_id).encrypt(nonce, payload.SerializeToString(), name)
        return Payload(
            metadata={
                "encoding": ENCODING,
                "encryption-cipher": CIPHER,
                "encryption-key-id": name,
            },
            data=nonce + sealed,
        )

    def _open(self, payload: Payload) -> Payload:
        name = payload.metadata.get("encryption-key-id", b"")
        cipher = self._cipher(name.decode(errors="replace"))
        nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, sealed, name))
        except (InvalidTag, ValueError) as error:
            raise Unreadable("a payload was not written with its key") from error

    def _cipher(self, key_id: str) -> AESGCM:
        if key_id not in self._ciphers:
            # A file that is being exchanged, or lost a key by mistake, takes none away.
            self._ciphers |= self._read()
        try:
            return self._ciphers[key_id]
        except KeyError:
            raise Unreadable(f"there is no payload key {key_id!r} here") from None

    def _read(self) -> dict[str, AESGCM]:
        try:
            keys = self._read_keys()
        except SettingsError as error:
            raise Unreadable(str(error)) from error
        return {name: AESGCM(key) for name, key in keys.items()}


def data_converter(settings: PayloadSettings) -> DataConverter:
    """How this process reads and writes payloads; without keys in the clear."""
    if not settings.read_payload_keys():
        return DATA_CONVERTER
    active = settings.temporal_payload_active_key
    converter = replace(
        DATA_CONVERTER, payload_codec=Encryption(settings.read_payload_keys, active)
    )
    if active is None:
        return converter
    # Messages and stack traces of failures, which are payloads only then.
    return replace(
        converter, failure_converter_class=DefaultFailureConverterWithEncodedAttributes
    )
