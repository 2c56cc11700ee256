"""The lines of archives of version 1, which had the merges of a profile instead of its events."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from profile_lookup.archives.wire.event import ArchivedEvent
from profile_lookup.archives.wire.lines import ArchivedProfile
from profile_lookup.archives.wire.person import ArchivedPerson, ProfileId, Time, ascending
from profile_lookup.identity_settings.wire import IdType
from profile_lookup.web.wire import AnswerModel


def _earliest_first(people: list[ArchivedPerson]) -> list[ArchivedPerson]:
    ascending([person.id for person in people])
    return people


class FormerMerge(AnswerModel):
    """`before` contains the profiles before they merged; the first of them became the canonical one."""

    id: UUID
    rule: IdType
    merged_at: Time
    before: Annotated[list[ArchivedPerson], Field(min_length=2), AfterValidator(_earliest_first)]

    def as_event(self, number: int) -> ArchivedEvent:
        """Return an event that can be seen, and not be undone.

        The values of the profiles go, since some may have been removed after the merge.
        """
        canonical, *absorbed = (person.id for person in self.before)
        return ArchivedEvent(
            number=number,
            id=self.id,
            kind="merged",
            at=self.merged_at,
            profile_id=canonical,
            rule=self.rule,
            absorbed=[ArchivedPerson(id=each, identifiers=[], traits=[]) for each in absorbed],
            has_ended=True,
        )


class FormerProfile(ArchivedPerson):
    created_at: Time
    aliases: Annotated[list[ProfileId], AfterValidator(ascending)]
    merges: list[FormerMerge]

    @property
    def states_before(self) -> Sequence[ArchivedPerson]:
        """The profiles as they were before they merged."""
        return [person for merge in self.merges for person in merge.before]

    def as_current(self, first_number: int) -> ArchivedProfile:
        """Return the profile in the current format, whose events have numbers from this one on."""
        return ArchivedProfile(
            id=self.id,
            identifiers=self.identifiers,
            traits=self.traits,
            created_at=self.created_at,
            aliases=self.aliases,
            events=[merge.as_event(number) for number, merge in enumerate(self.merges, first_number)],
        )
