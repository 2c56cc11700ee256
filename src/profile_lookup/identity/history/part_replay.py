"""Writes are replayed with the parts of a person kept apart, in the order in which they happened."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from profile_lookup.identity.history.event import Event, EventKind, RecordedRequest, is_forgotten, matches_of
from profile_lookup.identity.history.event_derivation import event_of
from profile_lookup.identity.history.heirs import Heirs
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.merging import written
from profile_lookup.identity.profile import Profile, first_holders
from profile_lookup.identity.resolution import claim
from profile_lookup.identity.rules import IdentityResolutionSettings

Times = dict[NormalizedIdentifier, datetime]


class IdentifiesNobody(Exception):
    """A request that is to be a profile of its own has no identifier that it may take."""


class PartReplay:
    """The parts of a person after each event that was replayed.

    `participants` are the profiles before the first event, with their aliases. `withheld` identifiers are given to no
    part. `events` are the replayed events: each says what it did to its part, and belongs to that part's history.
    `lost` are the identifiers that a part had before the first event and is not given back. An event that lost one at
    that time still says so; what is left of them is in `lost`.
    """

    def __init__(
        self,
        settings: IdentityResolutionSettings,
        participants: Iterable[Profile],
        aliases: Mapping[UUID, Collection[UUID]],
        withheld: Collection[NormalizedIdentifier],
        split_id: UUID,
    ) -> None:
        self._settings = settings
        self._withheld = withheld
        self._split_id = split_id
        self.parts: dict[UUID, Profile] = {}
        self.events: list[Event] = []
        self.lost: dict[UUID, Times] = {}
        self._holders: dict[NormalizedIdentifier, UUID] = {}
        self._part_of: dict[UUID, UUID] = {}
        self._heirs = Heirs()
        self._leaves_out = False
        # A value of a unique type stays with the one that had it first, then with the smaller ID: a type may have
        # become unique since, or two values equal.
        first = first_holders(participants, settings.is_unique)
        for profile in participants:
            identifiers = {
                each: at
                for each, at in profile.identifiers.items()
                if each not in withheld and first.get(each, profile.id) == profile.id
            }
            self._put(replace(profile, identifiers=identifiers))
            self.lost[profile.id] = {
                each: added_at for each, added_at in profile.identifiers.items() if each not in identifiers
            }
            self._part_of |= dict.fromkeys((profile.id, *aliases[profile.id]), profile.id)

    def ids_by_part(self) -> dict[UUID, set[UUID]]:
        """Return all IDs of each part."""
        ids: dict[UUID, set[UUID]] = {part: set() for part in self.parts}
        for each, part in self._part_of.items():
            ids[part].add(each)
        return ids

    def leave_out(self, event: Event) -> None:
        """Go on as if a write had not happened. Whom it created is no part; whom it merged stay parts.

        From then on, a write merges only parts that it is about: those that hold what it matched.
        """
        self._leaves_out = True
        self._heirs.unite(event.participants)

    def apply(self, event: Event, *, is_undone: bool) -> None:
        """Replay a write. Raises `IdentifiesNobody` if it is an undone update that leaves no profile.

        A write to nobody but profiles whose creation was left out creates the profile that its event names.
        """
        participants = event.participants
        new_heirs: set[UUID] = set()
        if event.kind == "created":
            self._create(event, event.profile_id)
        elif is_undone and event.kind == "updated":
            self._create(event, event.id)
            new_heirs = {event.id}
        else:
            meant = {participant: self._part_that_is_meant(event, participant) for participant in participants}
            parts = {part for part in meant.values() if part is not None}
            if not parts:
                self._begin(event)
            elif is_undone:
                matched = [each.identifier for each in event.matched]
                part = min(parts, key=lambda part: self._rank(event, matched, part))
                self._write(event, [part], event.request.kind, is_undone=True)
            elif self._leaves_out and event.kind == "merged":
                parts = {part for each, part in meant.items() if part and self._is_about(event, each, part)} or parts
                self._write(event, sorted(parts), "merged" if len(parts) > 1 else event.request.kind, is_undone=False)
            else:
                self._write(event, sorted(parts), event.kind, is_undone=False)
        self._heirs.unite(participants, new_heirs)

    def _part_that_is_meant(self, event: Event, participant: UUID) -> UUID | None:
        """Return the part of a participant that the event is about, or None if the participant was left out.

        It is the part that was addressed, or that holds what was matched or removed, or that has the ID which the event
        names; if that ID was left out, the earliest part.
        """
        matched = [each.identifier for each in event.matched if each.profile_id == participant] or event.removed
        parts = {self._part_of[each] for each in self._heirs.of(participant) if each in self._part_of}
        if not parts:
            return None
        ranked = {part: self._rank(event, matched, part) for part in parts}
        nobody = (True, (len(self._settings.matching_rules), 0))
        meant = {part: rank for part, rank in ranked.items() if rank[:2] != nobody}
        return min(meant, key=meant.__getitem__) if meant else self._part_of.get(participant, min(parts))

    def _is_about(self, event: Event, participant: UUID, part: UUID) -> bool:
        """Return whether the part was addressed or holds what matched the participant, or whether that is not known."""
        addressed = event.request.addressed
        matched = [each.identifier for each in event.matched if each.profile_id == participant]
        known = [each for each in matched if not is_forgotten(each)]
        is_addressed = addressed is not None and self._part_of.get(addressed) == part
        return is_addressed or not known or any(each in self.parts[part].identifiers for each in known)

    def _rank(
        self, event: Event, matched: Collection[NormalizedIdentifier], part: UUID
    ) -> tuple[bool, tuple[int, int], UUID]:
        addressed = event.request.addressed
        places = {each: place for place, each in event.request.carried.items()}
        held = [each for each in matched if each in self.parts[part].identifiers]
        return (
            addressed is None or self._part_of.get(addressed) != part,
            claim(self._settings.matching_rules, places, held),
            part,
        )

    def _create(self, event: Event, profile_id: UUID) -> None:
        carried = self._carried(event, ())
        is_undone = event.kind != "created"
        if is_undone and not carried:
            raise IdentifiesNobody
        self._part_of[profile_id] = profile_id
        request = RecordedRequest(carried, event.request.traits)
        self._record(event, "created", profile_id, request, [], is_undone=is_undone)

    def _begin(self, event: Event) -> None:
        """Let a write create the profile that its event names, if it writes anything."""
        request = RecordedRequest(self._carried(event, ()), event.request.traits)
        if request.writes_something:
            self._part_of[event.profile_id] = event.profile_id
            self._record(event, "created", event.profile_id, request, [], is_undone=False)

    def _write(self, event: Event, part_ids: Sequence[UUID], kind: EventKind, *, is_undone: bool) -> None:
        parts = [self.parts.pop(each) for each in part_ids]
        canonical = parts[0].id
        if len(parts) > 1:
            absorbed = set(part_ids[1:])
            self._part_of |= {each: canonical for each, part in self._part_of.items() if part in absorbed}
        request = replace(event.request, carried=self._carried(event, part_ids))
        self._record(event, kind, canonical, request, parts, is_undone=is_undone)

    def _carried(self, event: Event, part_ids: Collection[UUID]) -> dict[int, NormalizedIdentifier]:
        """Return what these parts may take of the identifiers that the event carried."""
        return {
            place: each
            for place, each in event.request.carried.items()
            if not is_forgotten(each) and each not in self._withheld and self._holders.get(each) in (None, *part_ids)
        }

    def _record(
        self,
        event: Event,
        kind: EventKind,
        part_id: UUID,
        request: RecordedRequest,
        parts: Sequence[Profile],
        *,
        is_undone: bool,
    ) -> None:
        """Apply a request to the parts, which become one, and record what it did."""
        times = {each: event.at + timedelta(microseconds=place) for place, each in request.carried.items()}
        removed = (*event.removed, *(times if request.renews else ()))
        identifiers, traits = written(self._settings, parts, times, request.traits, event.at, removed)
        for part in parts:
            for each in set(part.identifiers).difference(identifiers):
                self._holders.pop(each, None)
        after = Profile(part_id, identifiers, traits)
        self._put(after, parts[0] if parts else None)
        recorded = event_of(
            event.id,
            kind,
            event.at,
            request,
            *self._as_they_were(event, parts, after),
            matched=matches_of(self._settings, _matched_in_order(event), parts),
            rule=event.rule if len(parts) > 1 else None,
            removed=event.removed,
            actor=event.actor,
            undone_by=self._split_id if is_undone else event.undone_by,
        )
        if event.kind == "split":
            recorded = replace(recorded, undid=event.undid, parts=event.parts, split_from=event.split_from)
        if any(is_forgotten(each) for each in (*event.added, *event.evicted)):
            recorded = replace(
                recorded,
                added=(*recorded.added, *filter(is_forgotten, event.added)),
                evicted=(*recorded.evicted, *filter(is_forgotten, event.evicted)),
            )
        self.events.append(recorded)

    def _as_they_were(
        self, event: Event, parts: Sequence[Profile], after: Profile
    ) -> tuple[Sequence[Profile], Profile]:
        """Return the parts before and after the event with what they had then and are not given back."""
        lost = [self.lost.pop(part.id, {}) for part in parts]
        if not any(lost):
            return parts, after
        before = [_with(part, times) for part, times in zip(parts, lost, strict=True)]
        gone = {*event.removed, *event.evicted}
        self.lost[after.id] = {
            each: added_at
            for times in reversed(lost)
            for each, added_at in times.items()
            if each not in gone and each not in after.identifiers
        }
        return before, _with(after, self.lost[after.id])

    def _put(self, part: Profile, before: Profile | None = None) -> None:
        """Set a part. `before` is the same part before its last event: what it held then is known already."""
        self.parts[part.id] = part
        new = set(part.identifiers).difference(before.identifiers if before else ())
        self._holders |= dict.fromkeys((each for each in new if self._settings.is_unique(each.id_type)), part.id)


def _with(profile: Profile, identifiers: Times) -> Profile:
    return replace(profile, identifiers={**profile.identifiers, **identifiers}) if identifiers else profile


def _matched_in_order(event: Event) -> list[NormalizedIdentifier]:
    """Return what the event's request matched by, each once, in the request's order."""
    places = {each: place for place, each in event.request.carried.items()}
    return sorted({each.identifier for each in event.matched}, key=lambda each: (places.get(each, 0), each))
