"""The JSON bodies of splits and separations."""

from typing import Any, Self
from uuid import UUID

from pydantic import Field
from sqlalchemy import Row

from profile_lookup.history.split_request import SplitRequest
from profile_lookup.identity.blocked_values import MAX_VALUES
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.splitting import Part, Split
from profile_lookup.identity.profile import Profile, values_by_group
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.ingest.wire import Traits
from profile_lookup.profiles.wire import IdentifierSet
from profile_lookup.web import ids
from profile_lookup.web.identifier_wire import EventId, IdentifierBody, ProfileId
from profile_lookup.web.wire import AnswerModel, Meta, WireModel, WireTime

MAX_JOINS = 10_000  # in one request


class SplitBody(WireModel):
    events: list[EventId] = Field(
        min_length=1, max_length=MAX_JOINS, description="The joins to undo: events of kind `merged` or `updated`."
    )
    keep_apart: bool = Field(default=True, description="Whether the parts never become one person again.")
    block: list[IdentifierBody] = Field(
        default=[],
        max_length=MAX_VALUES,
        description="Values that identify nobody from now on. They are added to the store's blocked values.",
    )
    dry_run: bool = Field(default=False, description="Whether only the answer is wanted, and nothing is changed.")

    def to_domain(self, actor: Actor, if_match: str | None) -> SplitRequest:
        """Return the request. An ID that no event can have becomes zero, which is the ID of none."""
        return SplitRequest(
            [ids.decoded(each) or UUID(int=0) for each in self.events],
            actor,
            self.keep_apart,
            [each.to_domain() for each in self.block],
            self.dry_run,
            if_match,
        )


class PartAnswer(AnswerModel):
    id: ProfileId
    is_new: bool = Field(description="Whether no profile had this ID before: a request became a profile of its own.")
    identifiers: list[IdentifierSet]
    traits: Traits

    @classmethod
    def of_domain(cls, settings: IdentityResolutionSettings, part: Part) -> Self:
        return cls(
            id=ids.profile_id(part.profile.id),
            is_new=part.is_new,
            identifiers=_identifier_sets(settings, part.profile),
            traits=values_by_group(part.profile.traits),
        )


class SplitAnswer(AnswerModel):
    message: str = Field(max_length=255)
    event_id: EventId = Field(description="The event of the split. If it was a dry run, there is no such event.")
    profiles: list[PartAnswer] = Field(description="What the profile becomes, the earliest first.")

    @classmethod
    def of_domain(cls, settings: IdentityResolutionSettings, message: str, done: Split) -> Self:
        profiles = [PartAnswer.of_domain(settings, part) for part in done.parts]
        return cls(message=message, event_id=ids.event_id(done.id), profiles=profiles)


class SeparationAnswer(AnswerModel):
    profile_id: ProfileId = Field(description="A profile that never becomes one person with this one.")
    since: WireTime
    event: EventId = Field(description="The split that keeps them apart.")

    @classmethod
    def of_row(cls, row: Row[Any]) -> Self:
        return cls(profile_id=ids.profile_id(row.profile_id), since=row.since, event=ids.event_id(row.event))


class SeparationList(AnswerModel):
    separations: list[SeparationAnswer] = Field(max_length=1000)
    meta: Meta


def _identifier_sets(settings: IdentityResolutionSettings, profile: Profile) -> list[IdentifierSet]:
    """Return the identifiers as the profile's own list has them: by type, and in chronological order."""
    values: dict[str, list[str]] = {id_type: [] for id_type in settings.id_types}
    for identifier, _ in sorted(profile.identifiers.items(), key=lambda item: (item[1], item[0].value)):
        # The settings may have changed since the caller was admitted.
        values.setdefault(identifier.id_type, []).append(identifier.value)
    return [IdentifierSet(id_type=id_type, values=of_type) for id_type, of_type in values.items() if of_type]
