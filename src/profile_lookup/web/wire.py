"""What all JSON bodies have in common: camelCase names, no coercion, and no unknown members."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError

from profile_lookup.database.keyset import MAX_TOKEN
from profile_lookup.errors import ProfileLookupError
from profile_lookup.identity.trait_definitions import nameable
from profile_lookup.identity.values.normalization import is_storable
from profile_lookup.web.contract import MAX_MESSAGE, message_of, more_info, status_and_code_of, status_of

MAX_SHORT_PAGE = 100  # items of lists for which the contract accepts a larger `pageSize`, but allows no larger page
OURS: dict[str, Any] = {"x-ours": True}
"""Marks what the published contract does not have: an operation by `openapi_extra`, a field by `json_schema_extra`."""

_MAX_MISTAKES = 10  # in one message


class Body(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        strict=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # what a client sent may be personal data
    )


class WireModel(Body):
    """A body that clients send."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, sent: Any) -> Any:
        """Remove nulls, because the official SDKs send null for members that were left out."""
        return {name: value for name, value in sent.items() if value is not None} if isinstance(sent, dict) else sent


class AnswerModel(Body):
    """A body that we send, built by our own names. An absent member is left out; it is never null."""

    model_config = ConfigDict(populate_by_name=True)


class _MayBeAbsent:
    """Marks `Annotated[Text | None, MayBeAbsent] = None`: a value is validated as text, so no message mentions null."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        (present,) = [kind for kind in get_args(source) if kind is not type(None)]
        return handler.generate_schema(present)


MayBeAbsent = _MayBeAbsent()
"""Marks a field that clients may leave out, or send as null, which `WireModel` removes before validation."""


def _whole_seconds(moment: datetime) -> str:
    # `strftime` does not write years before 1000 with four digits.
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _storable(text: str) -> str:
    if not is_storable(text):
        raise PydanticCustomError("storable", "String should hold neither NUL characters nor lone surrogates")
    return text


Storable = AfterValidator(_storable)
"""Marks text that PostgreSQL must be able to store. It must come after the field's other constraints, or their messages
would no longer speak of characters."""

WireTime = Annotated[
    datetime,
    PlainSerializer(_whole_seconds),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-15T10:15:30Z"]}),
]
"""UTC with whole seconds, because the official SDKs parse nothing finer."""

Token = Annotated[str, Field(max_length=MAX_TOKEN)]


class Meta(AnswerModel):
    """Information about a page of a list."""

    key: str = Field(max_length=64, description="The name of the property with the items.", examples=["profiles"])
    page_size: int = Field(description="How many items this page has.", examples=[1])
    next_token: Token | SkipJsonSchema[None] = Field(
        default=None, description="The `pageToken` of the next page, if there is one."
    )
    previous_token: Token | SkipJsonSchema[None] = Field(
        default=None, description="The `pageToken` of the previous page, if there is one."
    )


class Error(BaseModel):
    """The body of every error answer."""

    model_config = ConfigDict(extra="forbid")

    code: int = Field(ge=100, le=999999, description="The code of what was wrong.")
    message: str = Field(max_length=MAX_MESSAGE, description="A text for people that says what was expected.")
    more_info: str = Field(description="The address of a page that explains the code.")
    status: int = Field(ge=100, le=599, description="The HTTP status.")

    @classmethod
    def of(cls, status: int, code: int, message: str, error_pages: str) -> Self:
        """Return an error. `error_pages` is the address of the pages that explain codes."""
        return cls(code=code, message=message[:MAX_MESSAGE], more_info=more_info(code, error_pages), status=status)

    @classmethod
    def of_code(cls, code: int, message: str, error_pages: str) -> Self:
        """Return an error that was recorded earlier, by its code."""
        return cls.of(status_of(code), code, message, error_pages)

    @classmethod
    def of_domain(cls, error: ProfileLookupError, error_pages: str) -> Self:
        return cls.of(*status_and_code_of(error), message_of(error), error_pages)


def mistakes_in(error: ValidationError, root: str) -> str:
    """Return a text on what a model found wrong with the sent data. `root` is the name of the data as a whole."""
    found = error.errors(include_url=False, include_input=False)
    return mistakes([each | {"loc": (root, *each["loc"])} for each in found])


def place_of(location: Sequence[str | int]) -> str:
    """Return the name of a part of the sent data, without names that the sender chose."""
    return ".".join(str(part) if isinstance(part, int) else nameable(part) for part in location)


def mistakes(found: Sequence[Any]) -> str:
    """Return a text on what pydantic found wrong. The first part of each location, such as `body`, names the whole."""
    return "; ".join(
        f"{place_of(each['loc'][1:]) or each['loc'][0]}: {_reason(each)}" for each in found[:_MAX_MISTAKES]
    )


def _reason(found: Mapping[str, Any]) -> str:
    """Return pydantic's own words, except where they repeat sent data or name a class of ours."""
    if found["type"] == "union_tag_invalid":
        return f"Input should be one of {found['ctx']['expected_tags']}"
    if found["type"] == "model_type":  # its message names a class of ours
        return "Input should be a valid dictionary"
    return str(found["msg"])
