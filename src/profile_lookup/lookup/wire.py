"""The JSON bodies of lookups."""

from pydantic import Field

from profile_lookup.identity.values.normalization import MAX_LENGTH
from profile_lookup.web.identifier_wire import ProfileId
from profile_lookup.web.wire import AnswerModel


class LookupAnswer(AnswerModel):
    normalized_value: str = Field(max_length=MAX_LENGTH, examples=["+13175556789"])
    profiles: list[ProfileId] = Field(max_length=100, description="Canonical profiles, earliest first.")
