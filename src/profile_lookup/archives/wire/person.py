"""The identifiers and traits of a profile in an archive, with their times, and who asked for them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from operator import not_
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from profile_lookup.identity.history.creation import Actor, ActorType
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, Trait, TraitName
from profile_lookup.identity.trait_definitions import MAX_NAME
from profile_lookup.identity.values.normalization import MAX_LENGTH, NormalizedValue
from profile_lookup.identity_settings.wire import IdType
from profile_lookup.web import ids
from profile_lookup.web.wire import AnswerModel, Storable

_ENDS = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC))
"""The first and the last moment of the calendar."""


def _parsed_id(sent: object) -> object:
    if not isinstance(sent, str):
        return sent
    parsed = ids.parsed(ids.PROFILE_ID_PATTERN, sent)
    if parsed is None:
        raise PydanticCustomError("profile_id", "Input should be the ID of a profile")
    return parsed


def _utc(moment: datetime) -> datetime:
    if moment.utcoffset():
        raise PydanticCustomError("utc", "Input should be UTC")
    # asyncpg stores these two as -infinity and infinity, and returns them without a zone: nothing can compare them.
    if moment in _ENDS:
        raise PydanticCustomError("calendar", "Input should be between the first and the last moment of the calendar")
    return moment


def ascending(profile_ids: list[UUID]) -> list[UUID]:
    """Return the IDs. Raises `PydanticCustomError` unless each is later than the one before."""
    if any(one >= next_one for one, next_one in pairwise(profile_ids)):
        raise PydanticCustomError("ascending", "Input should be in ascending order, each once")
    return profile_ids


ProfileId = Annotated[UUID, BeforeValidator(_parsed_id), PlainSerializer(ids.profile_id)]
Time = Annotated[AwareDatetime, AfterValidator(_utc)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME), Storable]
Value = Annotated[str, Field(min_length=1, max_length=MAX_LENGTH), Storable]


class ArchivedActor(AnswerModel):
    type: ActorType
    id: Annotated[str, Field(max_length=255, pattern="^[!-~]+$")]
    line: Annotated[int, Field(ge=0)] | None = None

    @classmethod
    def of_domain(cls, actor: Actor | None) -> Self | None:
        return None if actor is None else cls(type=actor.type, id=actor.id, line=actor.line)

    def to_domain(self) -> Actor:
        return Actor(self.type, self.id, self.line)


class ArchivedIdentifier(AnswerModel):
    id_type: IdType
    value: Value
    added_at: Time


class ArchivedTrait(AnswerModel):
    group: Name
    name: Name
    value: Any
    written_at: Time
    lost_identifier: bool = Field(default=False, exclude_if=not_)

    @classmethod
    def of_domain(cls, name: TraitName, trait: Trait) -> Self:
        return cls(
            group=name.group,
            name=name.name,
            value=trait.value,
            written_at=trait.written_at,
            lost_identifier=trait.lost_identifier,
        )

    def to_domain(self) -> Trait:
        return Trait(self.value, self.written_at, self.lost_identifier)


class ArchivedPerson(AnswerModel):
    """A profile's identifiers and traits, as they are now or were before a merge."""

    id: ProfileId
    identifiers: list[ArchivedIdentifier]
    traits: list[ArchivedTrait]

    @classmethod
    def of_domain(cls, profile: Profile, **more: object) -> Self:
        return cls(
            id=profile.id,
            identifiers=archived_identifiers(profile.identifiers),
            traits=[ArchivedTrait.of_domain(name, trait) for name, trait in profile.traits.items()],
            **more,
        )

    def to_domain(self) -> Profile:
        return Profile(
            self.id,
            identifiers_of(self.identifiers),
            {TraitName(each.group, each.name): each.to_domain() for each in self.traits},
        )


def archived_identifiers(times: Mapping[NormalizedIdentifier, datetime]) -> list[ArchivedIdentifier]:
    return [ArchivedIdentifier(id_type=each.id_type, value=each.value, added_at=at) for each, at in times.items()]


def identifiers_of(archived: Sequence[ArchivedIdentifier]) -> dict[NormalizedIdentifier, datetime]:
    return {NormalizedIdentifier(each.id_type, NormalizedValue(each.value)): each.added_at for each in archived}
