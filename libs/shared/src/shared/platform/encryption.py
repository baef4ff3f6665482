"""Encrypts the payloads that Temporal stores, with AES-256-GCM.

A second line of defence, and off without keys: payloads have no personal data in the
first place. Workflow ids, search attributes and the types of activities and failures
stay readable.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
)

from shared.platform.converter import DATA_CONVERTER
from shared.platform.settings import PayloadSettings, SettingsError

ENCODING = b"binary/encrypted"
CIPHER = b"AES-256-GCM"
NONCE_BYTES = 12
NAMESPACE = "encryption-namespace"
WORKFLOW = "encryption-workflow-id"
PLACE = (NAMESPACE, WORKFLOW)
"""Where a payload belongs: namespace and workflow id, because ids are unique in a
namespace only."""


class Unreadable(Exception):
    """Our keys do not open the payload. A worker's task fails and is tried again, so
    that the order waits for a worker that has the key."""


class Encryption(PayloadCodec, WithSerializationContext):
    """Writes with the active key and reads with any. Unencrypted payloads pass unless
    `strict`, so that encryption can be switched on while orders are under way."""

    def __init__(
        self,
        read_keys: Callable[[], Mapping[str, bytes]],
        active: str | None,
        *,
        strict: bool = False,
    ) -> None:
        """Without an `active` key it only reads. For an unknown key `read_keys` is
        called once more: its file may have a new one."""
        self._read_keys = read_keys
        self._active = active
        self._strict = strict
        self._ciphers = self._read()
        self._place: Mapping[str, bytes] = {}
        """Where a payload belongs, as far as Temporal's client knows it."""

    def with_context(self, context: SerializationContext) -> Self:
        """A codec for one workflow, which reads no payload of another. Runs of a
        schedule have other ids than their action names, but none of ours has
        arguments."""
        names = {
            NAMESPACE: getattr(context, "namespace", None),
            WORKFLOW: getattr(context, "workflow_id", None),
        }
        return self._bound({name: value for name, value in names.items() if value})

    def in_namespace(self, namespace: str) -> Self:
        """For a reader of all its workflows, such as the codec server."""
        return self._bound({NAMESPACE: namespace})

    def _bound(self, place: Mapping[str, str]) -> Self:
        bound = copy(self)
        bound._place = {name: value.encode() for name, value in place.items()}
        return bound

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        if self._active is None:
            return list(payloads)
        return [self._seal(payload, self._active) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Raises `Unreadable`."""
        return [
            self._open(payload)
            if payload.metadata.get("encoding") == ENCODING
            else self._let_through(payload)
            for payload in payloads
        ]

    def _let_through(self, payload: Payload) -> Payload:
        if self._strict:
            # An attacker who writes to Temporal's store may have put it there.
            raise Unreadable("a payload is not encrypted")
        return payload

    def _seal(self, payload: Payload, key_id: str) -> Payload:
        name, nonce = key_id.encode(), os.urandom(NONCE_BYTES)
        metadata = {
            "encoding": ENCODING,
            "encryption-cipher": CIPHER,
            "encryption-key-id": name,
        }
        metadata |= self._place
        sealed = self._cipher(key_id).encrypt(
            nonce, payload.SerializeToString(), _covered(metadata)
        )
        return Payload(metadata=metadata, data=nonce + sealed)

    def _open(self, payload: Payload) -> Payload:
        name = payload.metadata.get("encryption-key-id", b"")
        self._check_place(payload.metadata)
        cipher = self._cipher(name.decode(errors="replace"))
        nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        try:
            covered = _covered(payload.metadata)
            return Payload.FromString(cipher.decrypt(nonce, sealed, covered))
        except (InvalidTag, ValueError) as error:
            raise Unreadable("a payload was not written with its key") from error

    def _check_place(self, written_for: Mapping[str, bytes]) -> None:
        """Lets payloads through that were written before binding, and readers that know
        no workflow, such as the codec server."""
        for name, place in self._place.items():
            what = "namespace" if name == NAMESPACE else "workflow"
            if name not in written_for:
                if self._strict:
                    raise Unreadable(
                        f"a payload says not which {what} it was written for"
                    )
            elif written_for[name] != place:
                raise Unreadable(f"a payload was written for another {what}")

    def _cipher(self, key_id: str) -> AESGCM:
        if key_id not in self._ciphers:
            # A file that is being replaced, or lost a key by mistake, removes no key.
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


def _covered(metadata: Mapping[str, bytes]) -> bytes:
    """What the seal covers besides the content (AES-GCM's AAD): readable, but nobody
    can change it without the key."""
    key = metadata["encryption-key-id"]
    place = [metadata[name] for name in PLACE if name in metadata]
    if NAMESPACE in metadata:
        # With lengths, so that no two places give the same bytes.
        key = b"2\0" + key
        place = [b"%d:%s" % (len(name), name) for name in place]
    return b"\0".join([key, *place])


def data_converter(settings: PayloadSettings) -> DataConverter:
    """The data converter of this process; without keys it does not encrypt."""
    if not settings.read_payload_keys():
        return DATA_CONVERTER
    active = settings.temporal_payload_active_key
    encryption = Encryption(
        settings.read_payload_keys, active, strict=settings.temporal_payload_strict
    )
    converter = replace(DATA_CONVERTER, payload_codec=encryption)
    if active is None:
        return converter
    # Only then are messages and stack traces of failures payloads.
    return replace(
        converter, failure_converter_class=DefaultFailureConverterWithEncodedAttributes
    )
