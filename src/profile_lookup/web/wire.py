"""What every JSON body has in common: camelCase names, no coercion, nothing unknown."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from profile_lookup.identity.normalization import is_storable


class WireModel(BaseModel):
    """What clients send."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        strict=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # what a client sent may be personal data
    )


class AnswerModel(WireModel):
    """What we send, and so make by our own names."""

    model_config = ConfigDict(populate_by_name=True)


def _whole_seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _storable(text: str) -> str:
    if not is_storable(text):
        raise PydanticCustomError("storable", "String should hold neither NUL characters nor lone surrogates")
    return text


WireText = Annotated[str, AfterValidator(_storable)]
"""Text for people, which PostgreSQL can store."""

WireTime = Annotated[
    datetime,
    PlainSerializer(_whole_seconds),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-15T10:15:30Z"]}),
]
"""UTC with whole seconds: the official SDKs parse nothing finer."""
