"""Reads the lines of profiles in an archive, and checks that the store could hold what they say."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from profile_lookup.archives.errors import RestoreRefused
from profile_lookup.archives.wire.event import MAX_PLACES
from profile_lookup.archives.wire.lines import ArchivedProfile, ArchiveHeader, parse_line
from profile_lookup.archives.wire.version_1 import FormerProfile
from profile_lookup.errors import IdentifierRefused, RequestRefused, TraitsRefused
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.profile import Profile, Trait, TraitName
from profile_lookup.identity.stored_values import (
    refuse_never_normalized,
    refuse_unlike_defined,
    refuse_unlike_normalized,
)
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web.wire import AnswerModel

T = TypeVar("T", bound=AnswerModel)


def parsed(kind: type[T], number: int, line: bytes) -> T:
    """Return the line with this number. Raises `RestoreRefused`."""
    try:
        return parse_line(kind, line)
    except RequestRefused as refusal:
        raise RestoreRefused(str(refusal), number) from None


@dataclass
class ProfileLines:
    """Counts the profiles and the numbers of their events while it reads them in the order of their lines.

    `last`: the ID of the profile of the last line.
    """

    store: StoreRules
    header: ArchiveHeader
    last: UUID | None = None
    profiles: int = 0
    events: int = 0

    def read(self, number: int, line: bytes) -> ArchivedProfile:
        """Return the profile of the line with this number. Raises `RestoreRefused` if anything is wrong with it."""
        archived = self._parsed(number, line)
        if self.last is not None and archived.id <= self.last:
            raise RestoreRefused("id: expected profiles in ascending order, each once", number)
        self._refuse_unfit(number, archived)
        current = archived if isinstance(archived, ArchivedProfile) else archived.as_current(self.events + 1)
        self._refuse_strange_history(number, current)
        self.last = archived.id
        self.profiles += 1
        self.events += len(list(_numbers(current)))
        return current

    def refuse_incomplete(self) -> None:
        """Raise `RestoreRefused` if there are not as many profiles and events as the header says."""
        counted = [("profiles", self.header.profiles, self.profiles)]
        if self.header.version > 1:
            counted.append(("events", self.header.events, self.events))
        for what, expected, found in counted:
            if found != expected:
                raise RestoreRefused(f"expected {expected} {what}, as the first line says, and not {found}")

    def _parsed(self, number: int, line: bytes) -> ArchivedProfile | FormerProfile:
        if self.header.version == 1:
            return parsed(FormerProfile, number, line)
        return parsed(ArchivedProfile, number, line)

    def _refuse_unfit(self, number: int, archived: ArchivedProfile | FormerProfile) -> None:
        """Raise `RestoreRefused` if the profile could not be in this store, whatever other profiles hold."""
        for each in (archived, *archived.states_before):
            domain = each.to_domain()
            if (len(domain.identifiers), len(domain.traits)) != (len(each.identifiers), len(each.traits)):
                raise RestoreRefused("identifiers, traits: expected each once", number)
            self._refuse_undefined(number, domain.traits)
        for position, identifier in enumerate(archived.to_domain().identifiers):
            try:
                if self.store.may_hold_former_values:
                    refuse_never_normalized(self.store.settings, identifier)
                else:
                    refuse_unlike_normalized(self.store.settings, identifier)
            except IdentifierRefused as error:
                raise RestoreRefused(f"identifiers.{position}.{error}", number) from None
        if archived.aliases and archived.aliases[0] <= archived.id:
            raise RestoreRefused("aliases: expected IDs that are later than the profile's own", number)
        if not {before.id for before in archived.states_before} <= {archived.id, *archived.aliases}:
            member = "events" if isinstance(archived, ArchivedProfile) else "merges"
            raise RestoreRefused(f"{member}: expected nobody but the profile and its aliases", number)

    def _refuse_strange_history(self, number: int, archived: ArchivedProfile) -> None:
        """Raise `RestoreRefused` if the profile could not have this history."""
        profile_ids = {archived.id, *archived.aliases}
        if not {each.profile_id for each in archived.events} <= profile_ids:
            raise RestoreRefused("events: expected nobody but the profile and its aliases", number)
        if not {each.id for each in archived.separations} <= profile_ids:
            raise RestoreRefused("separations: expected nobody but the profile and its aliases", number)
        if len({each.id for each in archived.events}) < len(archived.events):
            raise RestoreRefused("events: expected each id once", number)
        if self.header.version > 1 and max(_numbers(archived), default=0) > self.header.events:
            raise RestoreRefused("events: expected no number above the first line's number of events", number)
        for event in archived.events:
            self._refuse_undefined(number, dict(_written_traits(event.to_domain())))
        if archived.creation_number is not None and not _are_of_creation(archived.to_domain(), archived.created_at):
            raise RestoreRefused("creationNumber: expected only identifiers that a request added at createdAt", number)

    def _refuse_undefined(self, number: int, traits: Mapping[TraitName, Trait]) -> None:
        try:
            refuse_unlike_defined(self.store.trait_groups, traits)
        except TraitsRefused as error:
            raise RestoreRefused(str(error), number) from None


def _numbers(archived: ArchivedProfile) -> Iterator[int]:
    if archived.creation_number is not None:
        yield archived.creation_number
    yield from (event.number for event in archived.events)


def _written_traits(event: Event) -> Iterator[tuple[TraitName, Trait]]:
    """Yield the traits that the event keeps with a value, but for those of absorbed profiles."""
    for name, value in event.request.traits.items():
        if value is not None:
            yield name, Trait(value, event.at)
    yield from ((name, trait) for name, trait in event.before.traits.items() if trait is not None)


def _are_of_creation(profile: Profile, created_at: datetime) -> bool:
    """Return whether the times of the identifiers tell their places in a request: they are a microsecond apart."""
    longest = timedelta(microseconds=MAX_PLACES)
    return all(timedelta(0) <= at - created_at < longest for at in profile.identifiers.values())
