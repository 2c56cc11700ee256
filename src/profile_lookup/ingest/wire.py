"""The traits of a person on the wire, and the answer to a create."""

from typing import Annotated, Any

from pydantic import Field

from profile_lookup.web.identifier_wire import ProfileId
from profile_lookup.web.wire import AnswerModel, MayBeAbsent, WireModel

Traits = Annotated[
    dict[str, Annotated[dict[str, Any], Field(max_length=99)]],
    Field(
        max_length=50,
        description="Trait group, trait, value: a string, an integer, a boolean, or a flat array of these.",
    ),
]


class ProfileData(WireModel):
    traits: Annotated[Traits | None, MayBeAbsent] = None


class ProfileCreated(AnswerModel):
    message: str = Field(max_length=255)
    id: ProfileId
