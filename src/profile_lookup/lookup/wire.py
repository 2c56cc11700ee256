"""The JSON bodies of lookups."""

from pydantic import Field

from profile_lookup.identity.identifier import Identifier
from profile_lookup.identity.values.normalization import MAX_LENGTH
from profile_lookup.web.contract import MAX_MESSAGE
from profile_lookup.web.identifier_wire import ProfileId
from profile_lookup.web.wire import AnswerModel, Body

MAX_BATCH = 1000  # identifiers


class LookupAnswer(AnswerModel):
    normalized_value: str = Field(max_length=MAX_LENGTH, examples=["+13175556789"])
    profiles: list[ProfileId] = Field(max_length=100, description="Canonical profiles, earliest first.")


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
