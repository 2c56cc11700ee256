"""What every JSON body has in common: camelCase names, no coercion, nothing unknown."""

from datetime import UTC, datetime
from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticCustomError

from profile_lookup.identity.normalization import is_storable


class Body(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        strict=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # what a client sent may be personal data
    )


class WireModel(Body):
    """What clients send."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, sent: Any) -> Any:
        """The official SDKs send null for what was left out."""
        return {name: value for name, value in sent.items() if value is not None} if isinstance(sent, dict) else sent


class AnswerModel(Body):
    """What we send, and so make by our own names; what is absent is absent, never null."""

    model_config = ConfigDict(populate_by_name=True)


class _MayBeAbsent:
    """For `Annotated[Text | None, MayBeAbsent] = None`: what is there is judged as text; no message speaks of null."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        (present,) = [kind for kind in get_args(source) if kind is not type(None)]
        return handler.generate_schema(present)


MayBeAbsent = _MayBeAbsent()
"""Of a field that clients may leave out, or send as null: `WireModel` takes that out before."""


def _whole_seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _storable(text: str) -> str:
    if not is_storable(text):
        raise PydanticCustomError("storable", "String should hold neither NUL characters nor lone surrogates")
    return text


Storable = AfterValidator(_storable)
"""Of text for people: PostgreSQL can store it. After its other constraints, which then speak of characters."""

WireTime = Annotated[
    datetime,
    PlainSerializer(_whole_seconds),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-15T10:15:30Z"]}),
]
"""UTC with whole seconds: the official SDKs parse nothing finer."""
