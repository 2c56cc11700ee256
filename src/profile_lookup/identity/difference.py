"""The rows that change when changes of profiles are written to the tables."""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from profile_lookup.identity.history.creation import Creation
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.event_log import EventLog, Forgotten
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, Trait, TraitName
from profile_lookup.identity.resolution import Merge

MANY_IDENTIFIERS = 20
"""A profile with so many identifiers may be several people."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The rows to insert, update and delete so that the tables match the replayed profiles.

    - `created`: new canonical profiles, each with its time
    - `upserted_identifiers`, `deleted_identifiers`: each with its profile
    - `names`: the counted names of those upserted identifiers whose names change
    - `traits`: all traits of each new profile, and of each stored one whose traits change
    - `aliases`: each merged profile, also one that was never stored, with its canonical profile
    - `creations`: how those of the new profiles began to which nothing else has happened
    - `events`: of all other writes, in the order in which they happened
    - `no_longer_as_created`: stored profiles to which something else has happened now, so that an event has what their
      rows said of their creation
    - `separated`: profiles that are kept apart from others since they took over somebody who was
    - `forgotten`: what is to leave the events that were stored before
    - `large`: changed profiles that had or have many identifiers; None if they were not counted
    """

    created: Mapping[UUID, datetime] = field(default_factory=dict)
    upserted_identifiers: Sequence[tuple[UUID, NormalizedIdentifier, datetime]] = ()
    deleted_identifiers: Sequence[tuple[UUID, NormalizedIdentifier]] = ()
    names: Mapping[tuple[UUID, NormalizedIdentifier], tuple[int, ...]] = field(default_factory=dict)
    traits: Mapping[UUID, Mapping[TraitName, Trait]] = field(default_factory=dict)
    aliases: Mapping[UUID, UUID] = field(default_factory=dict)
    creations: Mapping[UUID, Creation] = field(default_factory=dict)
    events: Sequence[Event] = ()
    no_longer_as_created: Collection[UUID] = ()
    separated: Collection[UUID] = ()
    forgotten: Sequence[Forgotten] = ()
    large: AbstractSet[UUID] | None = field(default=None, compare=False)

    @property
    def possibly_large(self) -> AbstractSet[UUID]:
        """The changed profiles that may have had many identifiers, or may have many now."""
        if self.large is not None:
            return self.large
        upserted = {profile_id for profile_id, _, _ in self.upserted_identifiers}
        return upserted.union(profile_id for profile_id, _ in self.deleted_identifiers)

    @property
    def only_creates_profiles(self) -> bool:
        """Return whether no row of a stored profile changes, and the new ones say all that their events would say."""
        if self.deleted_identifiers or self.aliases or self.events:
            return False
        upserted = {profile_id for profile_id, _, _ in self.upserted_identifiers}
        return self.created.keys() >= upserted | self.traits.keys()


def difference_of(
    stored: Mapping[UUID, Profile],
    replayed: Mapping[UUID, Profile],
    changed: AbstractSet[UUID],
    created: Mapping[UUID, datetime],
    merges: Sequence[Merge],
    log: EventLog,
) -> Difference:
    """Return the difference between the stored and the replayed profiles.

    `changed` are the profiles that changed, `created` those that were never stored, each with its time. Either may have
    been merged since.
    """
    aliases = _aliases(merges)
    upserted_identifiers: list[tuple[UUID, NormalizedIdentifier, datetime]] = []
    deleted_identifiers: list[tuple[UUID, NormalizedIdentifier]] = []
    names: dict[tuple[UUID, NormalizedIdentifier], tuple[int, ...]] = {}
    traits: dict[UUID, Mapping[TraitName, Trait]] = {}
    large: set[UUID] = set()
    for profile_id in changed - aliases.keys():
        before, after = stored.get(profile_id, _NOTHING), replayed[profile_id]
        held = before.identifiers
        renamed = {each: counted for each, counted in after.names.items() if before.names.get(each) != counted}
        names |= {(profile_id, each): counted for each, counted in renamed.items()}
        upserted_identifiers += [
            (profile_id, each, at) for each, at in after.identifiers.items() if held.get(each) != at or each in renamed
        ]
        deleted_identifiers += [(profile_id, each) for each in held if each not in after.identifiers]
        if after.traits != before.traits:
            traits[profile_id] = after.traits
        if max(len(held), len(after.identifiers)) >= MANY_IDENTIFIERS:
            large.add(profile_id)
    for profile_id in aliases.keys() & stored.keys():
        deleted_identifiers += [(profile_id, each) for each in stored[profile_id].identifiers]
    return Difference(
        {profile_id: at for profile_id, at in created.items() if profile_id not in aliases},
        upserted_identifiers,
        deleted_identifiers,
        names,
        traits,
        aliases,
        {each: creation for each in created if each not in aliases and (creation := replayed[each].creation)},
        log.events,
        [
            each
            for each in changed - aliases.keys()
            if replayed[each].creation is None and stored.get(each, _NOTHING).creation is not None
        ],
        [
            each
            for each in changed - aliases.keys()
            if replayed[each].separations != stored.get(each, _NOTHING).separations
        ],
        log.forgotten,
        large,
    )


def _aliases(merges: Sequence[Merge]) -> dict[UUID, UUID]:
    """Return each merged profile with the canonical profile of its person."""
    aliases: dict[UUID, UUID] = {}
    for each in reversed(merges):  # a later merge may have made this merge's canonical profile an alias
        canonical_id = aliases.get(each.canonical.id, each.canonical.id)
        aliases |= dict.fromkeys((profile.id for profile in each.absorbed), canonical_id)
    return aliases


_NOTHING = Profile(UUID(int=0), {}, {})
