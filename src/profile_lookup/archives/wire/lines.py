"""The lines of an archive: the first one for the rules of the store, and one for each profile."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationError
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from profile_lookup.archives.wire.event import ArchivedEvent, ArchivedSeparation, Number
from profile_lookup.archives.wire.person import ArchivedActor, ArchivedPerson, ProfileId, Time, ascending
from profile_lookup.blocked_values.wire import BlockedValuesBody
from profile_lookup.errors import RequestRefused
from profile_lookup.identity.values.normalization_version import NormalizationVersion
from profile_lookup.identity_settings.wire import IdentityResolutionSettingsBody
from profile_lookup.trait_groups.queries import MAX_GROUPS
from profile_lookup.trait_groups.wire import TraitGroupRequest
from profile_lookup.web.wire import AnswerModel, mistakes_in


def _in_order(events: list[ArchivedEvent]) -> list[ArchivedEvent]:
    if any(one.number >= next_one.number for one, next_one in pairwise(events)):
        raise PydanticCustomError("in_order", "Input should be in the order of the numbers, each once")
    return events


class ArchivedProfile(ArchivedPerson):
    """A profile with its history.

    `creation_number`: the number of the event of its creation, if nothing has happened to it since. Then `created_by`
    says who asked for it, and there is no such event.
    """

    created_at: Time
    created_by: ArchivedActor | None = None
    creation_number: Number | None = None
    aliases: Annotated[list[ProfileId], AfterValidator(ascending)]
    events: Annotated[list[ArchivedEvent], AfterValidator(_in_order)]
    separations: list[ArchivedSeparation] = Field(default_factory=list, exclude_if=lambda each: not each)

    @property
    def states_before(self) -> Sequence[ArchivedPerson]:
        """The profiles that merged into it, as they were before."""
        return [person for event in self.events for person in event.absorbed]


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
    """The store's rules, and how many profiles follow: an archive with fewer lines is incomplete.

    `events`: how many numbers the events and creations have.
    """

    format: Literal["profile-lookup archive"] = "profile-lookup archive"
    version: Literal[1, 2] = 2
    store: str
    profiles: int = Field(ge=0)
    events: int = Field(default=0, ge=0)
    settings: IdentityResolutionSettingsBody
    trait_groups: list[TraitGroupRequest] = Field(max_length=MAX_GROUPS)
    normalization: ArchivedNormalization | SkipJsonSchema[None] = None
    blocked_values: BlockedValuesBody | None = None
    """None in an archive of a version that had none: the store keeps its own."""


T = TypeVar("T", bound=AnswerModel)


def parse_line(kind: type[T], line: bytes) -> T:
    """Return the parsed line. Raises `RequestRefused`, which says what was wrong and never quotes the line."""
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        raise RequestRefused(mistakes_in(error, "JSON")) from None


def line_of(content: ArchiveHeader | ArchivedProfile) -> bytes:
    return content.model_dump_json(by_alias=True, exclude_none=True).encode() + b"\n"
