"""The JSON bodies of lookups."""

from collections.abc import Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from uuid import UUID

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from profile_lookup.identity.identifier import Identifier
from profile_lookup.identity.values.normalization import MAX_LENGTH, NormalizedValue
from profile_lookup.web import ids
from profile_lookup.web.body import validated
from profile_lookup.web.contract import MAX_MESSAGE
from profile_lookup.web.identifier_wire import IdentifierBody, IdType, ProfileId, Value
from profile_lookup.web.wire import AnswerModel, Body

MAX_BATCH = 1000  # identifiers


class LookupAnswer(AnswerModel):
    normalized_value: str = Field(max_length=MAX_LENGTH, examples=["+13175556789"])
    profiles: list[ProfileId] = Field(max_length=100, description="Canonical profiles, earliest first.")


@dataclass(slots=True)
class _StrictIdentifier:
    """An `IdentifierBody` that refuses null members instead of ignoring them. It is validated in half the time."""

    __pydantic_config__ = ConfigDict(alias_generator=to_camel, strict=True, extra="forbid", hide_input_in_errors=True)

    id_type: IdType
    value: Value


_validate_json = TypeAdapter(_StrictIdentifier).validator.validate_json


def identifier_in(body: bytes) -> Identifier:
    """Return the identifier in a body. Raises `RequestRefused`."""
    try:
        sent = _validate_json(body)
    except ValidationError:  # it has null members, or it is malformed
        return validated(IdentifierBody, body).to_domain()
    return Identifier(sent.id_type, sent.value)


def serialized(normalized_value: NormalizedValue, profile_ids: Sequence[UUID]) -> bytes:
    """Return the JSON of a `LookupAnswer`. It is the same as pydantic's, which takes several times as long."""
    profiles = ",".join([f'"{ids.profile_id(profile_id)}"' for profile_id in profile_ids])
    return f'{{"normalizedValue":{encode_basestring(normalized_value)},"profiles":[{profiles}]}}'.encode()


class BatchIdentifier(Body):
    """An identifier of a batch. Only its form is validated with the body: what the store refuses fails alone."""

    id_type: str = Field(description="An identifier type of the store.", examples=["phone"])
    value: str = Field(
        description="The value as you have it, of 1-255 characters. It is normalized by the store's settings.",
        examples=["+13175556789"],
    )

    def to_domain(self) -> Identifier:
        return Identifier(self.id_type, self.value)


class LookupBatch(Body):
    identifiers: list[BatchIdentifier] = Field(min_length=1, max_length=MAX_BATCH)


class BatchLookupError(AnswerModel):
    """Why one identifier of a batch is refused."""

    code: int = Field(description="The code of what was wrong, as in an error answer.", examples=[520046])
    message: str = Field(max_length=MAX_MESSAGE, description="A text for people that says what was expected.")


class RefusedLookup(AnswerModel):
    error: BatchLookupError


class LookupBatchAnswer(AnswerModel):
    results: list[LookupAnswer | RefusedLookup] = Field(
        min_length=1, max_length=MAX_BATCH, description="A result for each identifier, in the order of the request."
    )
