"""Profiles and their identifiers on the wire."""

from collections.abc import Iterable
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field
from sqlalchemy import Row

from profile_lookup.identity.identifier import Identifier
from profile_lookup.identity.normalization import MAX_LENGTH
from profile_lookup.web import ids
from profile_lookup.web.wire import AnswerModel, Body, MayBeAbsent, Meta, WireModel, WireTime

ProfileId = Annotated[str, Field(pattern=ids.PROFILE_ID_PATTERN, examples=[ids.EXAMPLE_PROFILE_ID])]
IdType = Annotated[
    str, Field(min_length=2, max_length=30, description="An identifier type of the store.", examples=["phone"])
]
Value = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_LENGTH,
        description="As you have it; it is normalized as the store's settings say.",
        examples=["+13175556789"],
    ),
]
Traits = Annotated[
    dict[str, Annotated[dict[str, Any], Field(max_length=99)]],
    Field(
        max_length=50,
        description="Trait group, trait, value: a string, an integer, a boolean, or a flat array of these.",
    ),
]


class StrictIdentifierBody(Body):
    """An `IdentifierBody` that refuses null for a member that was left out: it is validated in half the time."""

    id_type: IdType
    value: Value

    def to_domain(self) -> Identifier:
        return Identifier(self.id_type, self.value)


class IdentifierBody(WireModel, StrictIdentifierBody):
    pass


class IdentifierUpdate(WireModel):
    id_type: IdType
    old_value: Value
    new_value: Value


class ProfileData(WireModel):
    traits: Annotated[Traits | None, MayBeAbsent] = None


class ProfileBatch(WireModel):
    model_config = ConfigDict(json_schema_extra={"maxProperties": 1})

    profiles: list[ProfileData] = Field(min_length=1, max_length=1000)


class BatchAccepted(AnswerModel):
    message: str = Field(max_length=255)
    operation_id: str = Field(max_length=512)
    created_at: WireTime
    status_url: str = Field(max_length=512, description="Where its progress is told.")


class ProfileCreated(AnswerModel):
    message: str = Field(max_length=255)
    id: ProfileId


class Accepted(AnswerModel):
    message: str = Field(max_length=512)


class Profile(AnswerModel):
    id: ProfileId
    created_at: WireTime
    traits: Traits

    @classmethod
    def of_rows(cls, profile: Row[Any], traits: Iterable[Row[Any]]) -> Self:
        groups: dict[str, dict[str, Any]] = {}
        for trait in traits:
            groups.setdefault(trait.group_name, {})[trait.name] = trait.value
        return cls(id=ids.profile_id(profile.id), created_at=profile.created_at, traits=groups)


class ProfileList(AnswerModel):
    profiles: list[ProfileId] = Field(max_length=1000)
    meta: Meta


class Trait(AnswerModel):
    name: str
    value: Any
    trait_group: str
    timestamp: WireTime


class TraitList(AnswerModel):
    traits: list[Trait]
    meta: Meta


class IdentifierSet(AnswerModel):
    id_type: IdType
    values: list[Annotated[str, Field(max_length=MAX_LENGTH)]] = Field(
        max_length=100, description="Normalized, in chronological order."
    )


class IdentifierSets(AnswerModel):
    identifiers: list[IdentifierSet] = Field(max_length=50)
