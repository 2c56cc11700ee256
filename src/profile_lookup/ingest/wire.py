"""The JSON of a person's traits, and of the answer to a create."""

from typing import Annotated, Any

from pydantic import Field

from profile_lookup.web.identifier_wire import ProfileId
from profile_lookup.web.wire import AnswerModel, MayBeAbsent, WireModel

Traits = Annotated[
    dict[str, Annotated[dict[str, Any], Field(max_length=99)]],
    Field(
        max_length=50,
        description="Values by trait group and trait: strings, integers, booleans, or flat arrays of these.",
    ),
]


class ProfileData(WireModel):
    traits: Annotated[Traits | None, MayBeAbsent] = None


class ProfileCreated(AnswerModel):
    message: str = Field(max_length=255)
    id: ProfileId
