"""Profiles and their identifiers on the wire."""

from typing import Annotated, Any

from pydantic import Field

from profile_lookup.identity.identifier import Identifier
from profile_lookup.identity.normalization import MAX_LENGTH
from profile_lookup.web import ids
from profile_lookup.web.wire import AnswerModel, WireModel

ProfileId = Annotated[str, Field(pattern=ids.PROFILE_ID_PATTERN, examples=[ids.EXAMPLE_PROFILE_ID])]


class IdentifierBody(WireModel):
    id_type: str = Field(
        min_length=2, max_length=30, description="An identifier type of the store.", examples=["phone"]
    )
    value: str = Field(
        min_length=1,
        max_length=MAX_LENGTH,
        description="As you have it; it is normalized as the store's settings say.",
        examples=["+13175556789"],
    )

    def to_domain(self) -> Identifier:
        return Identifier(self.id_type, self.value)


class LookupAnswer(AnswerModel):
    normalized_value: str = Field(max_length=MAX_LENGTH, examples=["+13175556789"])
    profiles: list[ProfileId] = Field(max_length=100, description="Canonical profiles, earliest first.")


class ProfileData(WireModel):
    # The official SDKs send null for what was left out.
    traits: (
        Annotated[
            dict[str, Annotated[dict[str, Any], Field(max_length=99)]],
            Field(
                max_length=50,
                description="Trait group, trait, value: a string, an integer, a boolean, or a flat array of these.",
            ),
        ]
        | None
    ) = None


class ProfileCreated(AnswerModel):
    message: str = Field(max_length=255)
    id: ProfileId
