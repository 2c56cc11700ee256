"""A replay applies many changes in memory, one after the other, and returns the rows that all of them change."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Literal
from uuid import UUID

from profile_lookup.errors import IdentifierKeptApart
from profile_lookup.identity.blocked_values import PLACEHOLDERS_ALONE, BlockedValues
from profile_lookup.identity.candidates import deciding_profiles
from profile_lookup.identity.change import NO_CHANGE, Change
from profile_lookup.identity.difference import Difference, difference_of
from profile_lookup.identity.history.creation import Actor, Creation
from profile_lookup.identity.history.event import RecordedRequest
from profile_lookup.identity.history.event_log import EventLog
from profile_lookup.identity.history.separations import NOT_SEPARATED, are_apart
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.merging import combined, evicted
from profile_lookup.identity.person_names import (
    MIN_NAMES,
    NOTICE_FROM,
    Count,
    count,
    held_name,
    joined_names,
    joining_change,
    united_names,
    written_name,
)
from profile_lookup.identity.profile import Profile, Trait, TraitName
from profile_lookup.identity.resolution import Create, Merge, Resolution, Update, profiles_of, resolve, withheld_of
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.settings_changes.renormalization import rewritten


@dataclass(frozen=True, slots=True)
class Written:
    """What a change did, and the canonical profile of its person at that time.

    - `evicted`: the identifiers that a limit dropped
    - `shared`: the change's identifiers that were written under so many names that they may be nobody's own
    - `rule`: of a merge, the identifier type by whose matching rule the profiles joined
    """

    how: Literal["created", "updated", "merged"]
    profile_id: UUID
    evicted: tuple[NormalizedIdentifier, ...] = ()
    shared: tuple[NormalizedIdentifier, ...] = ()
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class SharedValue:
    """A value of this type has now been written under so many different names that it may be nobody's own."""

    id_type: str
    names: int


class ProfileReplay:
    """Canonical profiles in memory; each change is applied to the result of the changes before it.

    `stored` must hold every profile on which a decision about the changes can depend, as `lock_and_gather` returns
    them. `new_id` returns IDs that never go backwards. If values only get other forms, updates are no events:
    `records_updates`.
    """

    def __init__(
        self,
        settings: IdentityResolutionSettings,
        stored: Iterable[Profile],
        new_id: Callable[[], UUID],
        blocked_values: BlockedValues = PLACEHOLDERS_ALONE,
        *,
        records_updates: bool = True,
    ) -> None:
        self._settings = settings
        self._blocked_values = blocked_values
        self.shared_values: list[SharedValue] = []
        self._new_id = new_id
        self._stored = {profile.id: profile for profile in stored}
        self._now = dict(self._stored)
        self._holders: dict[NormalizedIdentifier, set[UUID]] = {}
        for profile in self._stored.values():
            self._hold(profile.id, profile.identifiers)
        self._created: dict[UUID, datetime] = {}
        self._changed: set[UUID] = set()
        self._merges: list[Merge] = []
        self._log = EventLog()
        self._records_updates = records_updates

    def apply(
        self,
        change: Change,
        requested_at: datetime,
        known: UUID | None = None,
        former: Mapping[NormalizedIdentifier, NormalizedIdentifier] = MappingProxyType({}),
        actor: Actor | None = None,
    ) -> Written:
        """Apply the change to the known profile, or to the one that the identifiers name.

        `former` are earlier forms of identifiers of the change. Who holds one is treated as if it held today's form,
        and holds that from then on. Raises `IdentifierConflict`, or `TraitsRefused` if the change carries no other
        values than those that joined too many names already; nothing has changed then.
        """
        counts = self._counts(change, known)
        if not all(each.may_join for each in counts.values()):
            change = joining_change(change, counts, known)
        incoming = (*change.incoming, *(each for each, today in former.items() if today in change.incoming))
        deciding = deciding_profiles(self._settings, self._holders, incoming, known)
        candidates = [self._in_todays_form(self._now[each], former) for each in deciding]
        resolution = resolve(self._settings, change.incoming, candidates, known)
        profiles = profiles_of(resolution)
        withheld = withheld_of(resolution)
        if withheld and known is not None and not change.traits:
            raise IdentifierKeptApart(withheld[0].id_type)
        identifiers, traits = combined(self._settings, profiles, change, requested_at, withheld)
        names = united_names(profiles, self._settings.is_unique)
        written = self.become(resolution, identifiers, traits, names, requested_at, change, known, actor)
        counted = {identifier: each.names for identifier, each in counts.items()}
        if len(profiles) > 1 and written_name(change.traits) is None:
            counted = joined_names(profiles, [each for each in change.incoming if self._joins_by_itself(each)])
        for identifier, names_of_value in counted.items():
            self._keep_names(identifier, names_of_value)
        shared = tuple(identifier for identifier, each in counted.items() if len(each) >= NOTICE_FROM)
        return replace(written, evicted=evicted(profiles, change, identifiers), shared=shared)

    def become(
        self,
        resolution: Resolution,
        identifiers: Mapping[NormalizedIdentifier, datetime],
        traits: Mapping[TraitName, Trait],
        names: Mapping[NormalizedIdentifier, tuple[int, ...]],
        at: datetime,
        change: Change = NO_CHANGE,
        known: UUID | None = None,
        actor: Actor | None = None,
    ) -> Written:
        """Give the resolution's person exactly these identifiers and traits, and the names of these identifiers.

        `change`, which may have been addressed to the known profile, and `actor` are recorded as the reason.
        """
        event_id = self._new_id()
        is_recorded = not isinstance(resolution, Update) or (self._records_updates and change.asks_for_something)
        creation = None
        match resolution:
            case Create():
                written = Written("created", event_id)
                self._created[written.profile_id] = at
                creation = Creation(at, actor) if len(identifiers) == len(change.incoming) else None
            case Update(profile):
                written = Written("updated", profile.id)
                creation = None if is_recorded else profile.creation
            case Merge(canonical, _, rule):
                written = Written("merged", canonical.id, rule=rule)
                self._merges.append(resolution)
        profiles = profiles_of(resolution)
        held: Iterable[NormalizedIdentifier] = ()
        for profile in profiles:
            before = self._now.pop(profile.id).identifiers.keys()
            if profile.id == written.profile_id:
                held = before
            for identifier in before - (identifiers.keys() if profile.id == written.profile_id else ()):
                self._holders[identifier].discard(profile.id)
        self._hold(written.profile_id, identifiers.keys() - held)
        kept_names = {each: counted for each, counted in names.items() if each in identifiers}
        separations = NOT_SEPARATED.union(*(profile.separations for profile in profiles))
        became = Profile(written.profile_id, identifiers, traits, kept_names, separations, creation)
        if creation is None and is_recorded:
            request = RecordedRequest.of(change, known, withheld_of(resolution))
            self._log.record(self._settings, event_id, at, request, resolution, became, change.replaced, actor)
        self._now[written.profile_id] = became
        self._changed.add(written.profile_id)
        return written

    def holders(self, identifier: NormalizedIdentifier) -> Collection[UUID]:
        """Return the profiles that hold the identifier by now."""
        return self._holders.get(identifier, ())

    def changed_profiles(self) -> list[Profile]:
        """Return the profiles that the changes have made or changed, as they are now, but for those that merged."""
        return [self._now[each] for each in self._changed if each in self._now]

    def absorbed_profiles(self) -> list[Profile]:
        """Return the stored profiles that have merged into others, as they were stored."""
        return [profile for each, profile in self._stored.items() if each not in self._now]

    def difference(self) -> Difference:
        """Return the rows to insert, update and delete so that the tables match the profiles in memory."""
        return difference_of(self._stored, self._now, self._changed, self._created, self._merges, self._log)

    def _counts(self, change: Change, known: UUID | None) -> dict[NormalizedIdentifier, Count]:
        """Return the count of names of each value by which the change would join somebody who has another name."""
        counts: dict[NormalizedIdentifier, Count] = {}
        written = written_name(change.traits)
        if written is None:
            return counts
        for identifier in change.incoming:
            holder = self._unique_holder(identifier) if self._joins_by_itself(identifier) else None
            if holder is None or holder.id == known:
                continue
            held = held_name(holder.traits)
            if written != held:
                limit = self._blocked_values.max_profiles_per_value
                counts[identifier] = count(holder.names.get(identifier, ()), held, written, limit)
        return counts

    def _joins_by_itself(self, identifier: NormalizedIdentifier) -> bool:
        """Return whether the value alone makes a request one about its holder, so that its names are counted."""
        id_type = identifier.id_type
        is_matching = self._settings.is_unique(id_type) and id_type in self._settings.matching_rules
        return is_matching and not self._blocked_values.is_allowed(identifier)

    def _unique_holder(self, identifier: NormalizedIdentifier) -> Profile | None:
        """Return the profile that holds a value of a unique type, if there is one."""
        holders = self._holders.get(identifier)
        if not holders:
            return None
        (profile_id,) = holders
        return self._now[profile_id]

    def _in_todays_form(self, profile: Profile, former: Mapping[NormalizedIdentifier, NormalizedIdentifier]) -> Profile:
        """Return the profile with today's forms, but for those that somebody who is kept apart from it has already."""

        def may_have(form: NormalizedIdentifier) -> bool:
            others = self._holders.get(form, ()) if self._settings.is_unique(form.id_type) else ()
            return not any(are_apart(profile.separations, self._now[each].separations) for each in others)

        return rewritten(profile, {each: today for each, today in former.items() if may_have(today)})

    def _keep_names(self, identifier: NormalizedIdentifier, names: tuple[int, ...]) -> None:
        holder = self._unique_holder(identifier)
        if holder is None or len(names) < MIN_NAMES or names == holder.names.get(identifier):
            return  # its type's limit has removed it, or there is nothing new
        self._now[holder.id] = replace(holder, names={**holder.names, identifier: names})
        self._changed.add(holder.id)
        if len(holder.names.get(identifier, ())) < NOTICE_FROM <= len(names):
            self.shared_values.append(SharedValue(identifier.id_type, len(names)))

    def _hold(self, profile_id: UUID, identifiers: Iterable[NormalizedIdentifier]) -> None:
        for identifier in identifiers:
            self._holders.setdefault(identifier, set()).add(profile_id)
