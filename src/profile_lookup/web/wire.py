"""What every JSON body has in common: camelCase names, no coercion, nothing unknown."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer, WithJsonSchema, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from profile_lookup.identity.normalization import is_storable


class _Body(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        strict=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # what a client sent may be personal data
    )


class WireModel(_Body):
    """What clients send."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, sent: Any) -> Any:
        """The official SDKs send null for what was left out."""
        return {name: value for name, value in sent.items() if value is not None} if isinstance(sent, dict) else sent


class AnswerModel(_Body):
    """What we send, and so make by our own names; what is absent is absent, never null."""

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
