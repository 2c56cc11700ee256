"""The format of an archive: a store as JSON Lines, with a line for its rules and one for each profile, earliest first.

An archive contains everything that is stored, with times to the microsecond. It does not say when or where it was made,
but it contains the store's ID.
"""

from datetime import datetime
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, TypeVar
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, PlainSerializer, ValidationError
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from profile_lookup.blocked_values.wire import BlockedValuesBody
from profile_lookup.errors import RequestRefused
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, Trait, TraitName
from profile_lookup.identity.trait_definitions import MAX_NAME
from profile_lookup.identity.values.normalization import MAX_LENGTH, NormalizedValue
from profile_lookup.identity.values.normalization_version import NormalizationVersion
from profile_lookup.identity_settings.wire import IdentityResolutionSettingsBody, IdType
from profile_lookup.trait_groups.queries import MAX_GROUPS
from profile_lookup.trait_groups.wire import TraitGroupRequest
from profile_lookup.web import ids
from profile_lookup.web.wire import AnswerModel, Storable, mistakes_in


def _parsed_id(sent: object) -> object:
    if not isinstance(sent, str):
        return sent
    parsed = ids.decoded(sent) if ids.is_well_formed(ids.PROFILE_ID_PATTERN, sent) else None
    if parsed is None:
        raise PydanticCustomError("profile_id", "Input should be the ID of a profile")
    return parsed


def _utc(moment: datetime) -> datetime:
    if moment.utcoffset():
        raise PydanticCustomError("utc", "Input should be UTC")
    return moment


def _ascending(profile_ids: list[UUID]) -> list[UUID]:
    if any(one >= next_one for one, next_one in pairwise(profile_ids)):
        raise PydanticCustomError("ascending", "Input should be in ascending order, each once")
    return profile_ids


def _earliest_first(people: list["ArchivedPerson"]) -> list["ArchivedPerson"]:
    _ascending([person.id for person in people])
    return people


ProfileId = Annotated[UUID, BeforeValidator(_parsed_id), PlainSerializer(ids.profile_id)]
Time = Annotated[AwareDatetime, AfterValidator(_utc)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME), Storable]


class ArchivedIdentifier(AnswerModel):
    id_type: IdType
    value: Annotated[str, Field(min_length=1, max_length=MAX_LENGTH), Storable]
    added_at: Time


class ArchivedTrait(AnswerModel):
    group: Name
    name: Name
    value: Any
    written_at: Time


class ArchivedPerson(AnswerModel):
    """A profile's identifiers and traits, as they are now or were before a merge."""

    id: ProfileId
    identifiers: list[ArchivedIdentifier]
    traits: list[ArchivedTrait]

    @classmethod
    def of_domain(cls, profile: Profile, **more: object) -> Self:
        return cls(
            id=profile.id,
            identifiers=[
                ArchivedIdentifier(id_type=each.id_type, value=each.value, added_at=added_at)
                for each, added_at in profile.identifiers.items()
            ],
            traits=[
                ArchivedTrait(group=name.group, name=name.name, value=trait.value, written_at=trait.written_at)
                for name, trait in profile.traits.items()
            ],
            **more,
        )

    def to_domain(self) -> Profile:
        return Profile(
            self.id,
            {
                NormalizedIdentifier(each.id_type, NormalizedValue(each.value)): each.added_at
                for each in self.identifiers
            },
            {TraitName(each.group, each.name): Trait(each.value, each.written_at) for each in self.traits},
        )


class ArchivedMerge(AnswerModel):
    """`before` contains the profiles before they merged; the first of them became the canonical one."""

    id: UUID
    rule: IdType
    merged_at: Time
    before: Annotated[list[ArchivedPerson], Field(min_length=2), AfterValidator(_earliest_first)]


class ArchivedProfile(ArchivedPerson):
    created_at: Time
    aliases: Annotated[list[ProfileId], AfterValidator(_ascending)]
    merges: list[ArchivedMerge]


class ArchivedNormalization(AnswerModel):
    """The version by which the values were made, and how many of them are kept unlike it."""

    rules: int
    phonenumbers: str
    idna: str
    unicode: str
    kept_values: int = Field(ge=0)

    @classmethod
    def of_domain(cls, version: NormalizationVersion, kept_values: int) -> Self:
        return cls(
            rules=version.rules,
            phonenumbers=version.phonenumbers,
            idna=version.idna,
            unicode=version.unicode,
            kept_values=kept_values,
        )

    @property
    def version(self) -> NormalizationVersion:
        return NormalizationVersion(self.rules, self.phonenumbers, self.idna, self.unicode)


class ArchiveHeader(AnswerModel):
    """The store's rules, and how many profiles follow: an archive with fewer lines is incomplete."""

    format: Literal["profile-lookup archive"] = "profile-lookup archive"
    version: Literal[1] = 1
    store: str
    profiles: int = Field(ge=0)
    settings: IdentityResolutionSettingsBody
    trait_groups: list[TraitGroupRequest] = Field(max_length=MAX_GROUPS)
    normalization: ArchivedNormalization | SkipJsonSchema[None] = None
    blocked_values: BlockedValuesBody | None = None
    """None in an archive of a version that had none: the store keeps its own."""


T = TypeVar("T", ArchiveHeader, ArchivedProfile)


def parse_line(kind: type[T], line: bytes) -> T:
    """Return the parsed line. Raises `RequestRefused`, which says what was wrong and never quotes the line."""
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        raise RequestRefused(mistakes_in(error, "JSON")) from None


def line_of(content: ArchiveHeader | ArchivedProfile) -> bytes:
    return content.model_dump_json(by_alias=True, exclude_none=True).encode() + b"\n"
