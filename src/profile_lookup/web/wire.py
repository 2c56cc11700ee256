"""What every JSON body has in common: camelCase names, no coercion, nothing unknown."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError


class WireModel(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        strict=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # what a client sent may be personal data
    )


def _whole_seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul", "String should not contain NUL characters")
    return text


WireText = Annotated[str, AfterValidator(_without_nul)]
"""Text for people, which PostgreSQL can store."""

WireTime = Annotated[
    datetime,
    PlainSerializer(_whole_seconds),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-15T10:15:30Z"]}),
]
"""UTC with whole seconds: the official SDKs parse nothing finer."""
