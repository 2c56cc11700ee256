"""The names under which a value was written: a value that joins very many names to one person is nobody's own.

Names are counted by 64-bit hashes, in the order in which they came. Of a value that has no counted names yet, the name
of the profile that holds it counts as the first.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from unicodedata import normalize
from uuid import UUID

from profile_lookup.errors import TraitsRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, Trait, TraitName, TraitValue
from profile_lookup.identity.trait_definitions import CONTACT

MIN_NAMES = 2
"""Fewer names are not stored: a single one is that of the profile."""
MAX_NAMES = 1000
"""The most names that are counted per value."""
NOTICE_FROM = 50
"""A value with so many names is worth a notice, whether or not there is a limit."""

NAME_TRAITS = tuple(TraitName(CONTACT.name, part) for part in ("firstName", "lastName"))


@dataclass(frozen=True, slots=True)
class Count:
    """Whether a write may join by a value, and the value's names once this write is counted."""

    may_join: bool
    names: tuple[int, ...]


def written_name(traits: Mapping[TraitName, TraitValue | None]) -> str | None:
    """Return the name that a write carries; None if it carries none."""
    return _name(traits.get)


def held_name(traits: Mapping[TraitName, Trait]) -> str | None:
    """Return the name of a profile; None if it has none."""
    return _name(lambda part: traits[part].value if part in traits else None)


def count(names: Sequence[int], held: str | None, written: str, limit: int | None) -> Count:
    """Count a name that is written with a value, and return whether the value still joins under it.

    `names` are those of the value; if there are none, `held`, its holder's name, is the first. `limit` is the number of
    names under which a value joins; None is no limit.
    """
    counted = tuple(names) or (() if held is None else (_hash(held),))
    name = _hash(written)
    if name not in counted and len(counted) < MAX_NAMES:
        counted = (*counted, name)
    return Count(limit is None or name in counted[:limit], counted)


def united(names: Sequence[int], others: Sequence[int]) -> tuple[int, ...]:
    """Return the names of two values that are one, each name once."""
    return tuple(dict.fromkeys((*names, *others)))[:MAX_NAMES]


def without_names(
    counted: Mapping[NormalizedIdentifier, Sequence[int]], gone: Collection[str], kept: Collection[str]
) -> dict[NormalizedIdentifier, tuple[int, ...]]:
    """Return the names that are left of each value if those `gone` were never written with it, but for those `kept`."""
    hashes = set(map(_hash, gone)).difference(map(_hash, kept))
    left = {value: tuple(each for each in names if each not in hashes) for value, names in counted.items()}
    return {value: names for value, names in left.items() if len(names) >= MIN_NAMES}


def united_names(
    profiles: Sequence[Profile], is_unique: Callable[[str], bool]
) -> dict[NormalizedIdentifier, tuple[int, ...]]:
    """Return the counted names of the values of profiles that become one person, earliest profile first.

    If several of them held a value of a unique type, in forms that have become equal, the name of each of them counts.
    """
    if len(profiles) == 1:
        return dict(profiles[0].names)
    holders = Counter(identifier for profile in profiles for identifier in profile.identifiers)
    names: dict[NormalizedIdentifier, tuple[int, ...]] = {}
    for profile in profiles:
        held = held_name(profile.traits)
        for identifier in profile.identifiers:
            counted = profile.names.get(identifier, ())
            if not counted and held is not None and holders[identifier] > 1 and is_unique(identifier.id_type):
                counted = (_hash(held),)
            if counted:
                names[identifier] = united(names.get(identifier, ()), counted)
    return {identifier: counted for identifier, counted in names.items() if len(counted) >= MIN_NAMES}


def joined_names(
    profiles: Sequence[Profile], values: Collection[NormalizedIdentifier]
) -> dict[NormalizedIdentifier, tuple[int, ...]]:
    """Return the counted names of these values, by which a request without a name joins the profiles.

    Each value counts the names of all the profiles, its holder's first. Nothing is counted if they have the same name.
    """
    held = {profile.id: _hash(name) for profile in profiles if (name := held_name(profile.traits)) is not None}
    if len(set(held.values())) < MIN_NAMES:
        return {}
    names: dict[NormalizedIdentifier, tuple[int, ...]] = {}
    for profile in profiles:
        first = (held[profile.id],) if profile.id in held else ()
        for value in values:
            if value in profile.identifiers:
                names[value] = united(names.get(value, ()), profile.names.get(value, first))
    return {value: united(counted, tuple(held.values())) for value, counted in names.items()}


def joining_change(change: Change, counts: Mapping[NormalizedIdentifier, Count], known: UUID | None) -> Change:
    """Return the change without the values that may not join. Raises `TraitsRefused` if none is left."""
    incoming = tuple(each for each in change.incoming if each not in counts or counts[each].may_join)
    if not incoming and known is None:
        raise TraitsRefused(
            "traits: expected a value that identifies somebody; others have joined more names than maxProfilesPerValue"
        )
    return replace(change, incoming=incoming)


def _name(part_of: Callable[[TraitName], object]) -> str | None:
    parts = [part for part in map(part_of, NAME_TRAITS) if isinstance(part, str)]
    name = " ".join(parts)
    folded = name.lower() if name.isascii() else normalize("NFC", normalize("NFC", name).casefold())
    return " ".join(folded.split()) or None


def _hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True)
