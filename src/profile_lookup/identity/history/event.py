"""An event says what a write did to one person, and keeps what is needed to undo it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.merging import united_traits
from profile_lookup.identity.profile import Profile, Trait, TraitName, TraitValue
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.values.normalization import NormalizedValue

EventKind = Literal[
    "created", "updated", "merged", "identifierAdded", "identifierReplaced", "identifierRemoved", "traitsChanged",
    "renormalized", "split", "importUndone", "erased", "storeSettingsChanged",
]  # fmt: skip
"""The kinds that are stored. Clients see `importUndone` as `split`."""


class Match(NamedTuple):
    """An identifier by which a request matched a profile. The profile was canonical then."""

    profile_id: UUID
    identifier: NormalizedIdentifier
    is_strong: bool


def matches_of(
    settings: IdentityResolutionSettings, identifiers: Collection[NormalizedIdentifier], profiles: Iterable[Profile]
) -> tuple[Match, ...]:
    """Return by which of the identifiers each of the profiles matched."""
    matches: list[Match] = []
    for profile in profiles:
        shared = [each for each in identifiers if each in profile.identifiers]
        is_strong = len(shared) > 1 or any(settings.is_unique(each.id_type) for each in shared)
        matches += [Match(profile.id, each, is_strong) for each in shared]
    return tuple(matches)


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """What a request wrote. Values are personal data, so `repr` leaves them out.

    - `carried`: the identifiers that it carried and that this person took, by their places in the request
    - `traits`: values that it wrote; None removed a trait
    - `addressed`: the profile that it was addressed to, under the ID that was canonical then
    - `renews`: its identifiers got its time although they were held already
    """

    carried: Mapping[int, NormalizedIdentifier] = field(default_factory=dict)
    traits: Mapping[TraitName, TraitValue | None] = field(default_factory=dict, repr=False)
    addressed: UUID | None = None
    renews: bool = False

    @classmethod
    def of(
        cls, change: Change, addressed: UUID | None = None, withheld: Collection[NormalizedIdentifier] = ()
    ) -> "RecordedRequest":
        """Return what a change writes. `withheld` identifiers stay with somebody who is kept apart."""
        places = enumerate(dict.fromkeys(change.incoming))
        carried = {place: each for place, each in places if each not in withheld}
        return cls(carried, change.traits, addressed, renews=change.replaced is not None)

    @property
    def kind(self) -> EventKind:
        """The kind of the event that it leaves if it neither creates nor merges."""
        if self.addressed is None:
            return "updated"
        if self.renews:
            return "identifierReplaced"
        return "traitsChanged" if self.traits else "identifierAdded"

    @property
    def writes_something(self) -> bool:
        """Whether it adds an identifier or a trait, rather than only removing some."""
        return bool(self.carried) or any(value is not None for value in self.traits.values())


NOTHING_WRITTEN = RecordedRequest()


@dataclass(frozen=True, slots=True)
class Before:
    """What the canonical profile had before a write, as far as the write changed it.

    - `lost`: identifiers that it had no longer, with their times
    - `retimed`: identifiers that got another time, with the former one
    - `traits`: traits that were written or that changed, in value or time; None was none
    - `held`: identifiers that an absorbed profile had as well
    """

    lost: Mapping[NormalizedIdentifier, datetime] = field(default_factory=dict)
    retimed: Mapping[NormalizedIdentifier, datetime] = field(default_factory=dict)
    traits: Mapping[TraitName, Trait | None] = field(default_factory=dict)
    held: frozenset[NormalizedIdentifier] = frozenset()


NOTHING_BEFORE = Before()


@dataclass(frozen=True, slots=True)
class Event:
    """A write. Identifiers that were removed since have lost their values: `is_forgotten`.

    - `matched`: why the request was about this person
    - `rule`: what triggered a merge
    - `added`, `removed`, `evicted`: identifiers that the person did not have before, or has no longer
    - `absorbed`: the profiles that merged into `profile_id`, as they were before
    - `has_ended`: what is needed to undo it was deleted after the time for which history is kept
    - `undone_by`: the split that undid this join
    - `undid`: the joins that this split undid
    - `parts`: the profiles that this split left, the earliest first; the event is that of the profile that was split
    - `split_from`: the profile that was split; the event is that of another part
    """

    id: UUID
    kind: EventKind
    at: datetime
    profile_id: UUID
    request: RecordedRequest = NOTHING_WRITTEN
    matched: tuple[Match, ...] = ()
    rule: str | None = None
    absorbed: tuple[Profile, ...] = ()
    added: tuple[NormalizedIdentifier, ...] = ()
    removed: tuple[NormalizedIdentifier, ...] = ()
    evicted: tuple[NormalizedIdentifier, ...] = ()
    before: Before = NOTHING_BEFORE
    actor: Actor | None = None
    has_ended: bool = False
    undone_by: UUID | None = None
    undid: tuple[UUID, ...] = ()
    parts: tuple[UUID, ...] = ()
    split_from: UUID | None = None

    @property
    def participants(self) -> tuple[UUID, ...]:
        """The profiles that existed before and were this person, under their canonical IDs of then."""
        own = () if self.kind == "created" else (self.profile_id,)
        return (*own, *(profile.id for profile in self.absorbed))

    @property
    def gained(self) -> Iterator[NormalizedIdentifier]:
        """The identifiers that the canonical profile did not have before."""
        yield from self.added
        for profile in self.absorbed:
            yield from (each for each in profile.identifiers if each not in self.before.held)

    def trait_changes(self) -> Iterator[tuple[TraitName, TraitValue | None, TraitValue | None]]:
        """Yield each trait whose value the request changed, with its new and its previous value."""
        for name, value in self.request.traits.items():
            previous = self._previous(name)
            if value is None or value != previous:
                yield name, value, previous

    @property
    def is_shown(self) -> bool:
        """Whether anybody sees it. An event that changed nothing but times is kept for undo alone.

        A join that was undone may have become one, as what its request did to its part.
        """
        return bool(
            self.kind in {"created", "renormalized", "split", "importUndone", "erased", "storeSettingsChanged"}
            or self.added
            or self.removed
            or self.evicted
            or self.absorbed
            or any(True for _ in self.trait_changes())
        )

    @property
    def repeated_content(self) -> tuple[object, ...] | None:
        """What events of the same profile have in common that repeat each other, or None.

        Events repeat each other if they changed nothing but times and have the same content: one more tells nothing.
        Those that were undone do not, since each of them says that it was.
        """
        if self.is_shown or self.undone_by is not None:
            return None
        request = self.request
        carried, traits = tuple(request.carried.items()), tuple(request.traits.items())
        return carried, traits, request.addressed, request.renews, self.matched

    def _previous(self, name: TraitName) -> TraitValue | None:
        if not self.absorbed:
            held = self.before.traits.get(name)
            return None if held is None else held.value
        canonical = Profile(
            self.profile_id, {}, {each: trait for each, trait in self.before.traits.items() if trait is not None}
        )
        trait = united_traits((canonical, *self.absorbed)).get(name)
        return None if trait is None else trait.value


_FORGOTTEN = NormalizedValue("")


def forgotten(identifier: NormalizedIdentifier) -> NormalizedIdentifier:
    """Return what an event still says of an identifier whose value was removed: its type."""
    return NormalizedIdentifier(identifier.id_type, _FORGOTTEN)


def is_forgotten(identifier: NormalizedIdentifier) -> bool:
    return not identifier.value
