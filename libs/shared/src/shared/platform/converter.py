"""Converts payloads with pydantic, and reports field errors without values."""

from typing import Any

import pydantic
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
    create_payload_validation_error,
)


class _FieldErrors(PydanticJSONPlainPayloadConverter):
    """Without this an invalid start input would fail the workflow task for ever, and
    the error would contain the input: somebody's data."""

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        try:
            return super().from_payload(payload, type_hint)
        except pydantic.ValidationError as error:
            raise create_payload_validation_error(
                error.errors(
                    include_url=False, include_input=False, include_context=False
                )
            ) from error


# Shared, because the SDK makes a payload converter for each workflow task, and
# pydantic's caches what it has built for a type.
_CONVERTERS = tuple(
    _FieldErrors() if isinstance(converter, JSONPlainPayloadConverter) else converter
    for converter in DefaultPayloadConverter.default_encoding_payload_converters
)


class PayloadConverter(CompositePayloadConverter):
    def __init__(self) -> None:
        super().__init__(*_CONVERTERS)


DATA_CONVERTER = DataConverter(payload_converter_class=PayloadConverter)
