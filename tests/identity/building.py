"""Short ways to build identifiers, profiles and changes."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from profile_lookup.identity.change import Change
from profile_lookup.identity.history.separations import Separations, parted
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, Trait, TraitName, TraitValue
from profile_lookup.identity.values.normalization import NormalizedValue


def at(seconds: float) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def identifier(text: str) -> NormalizedIdentifier:
    """`email:ada` is the value `ada` of type `email`."""
    id_type, _, value = text.partition(":")
    return NormalizedIdentifier(id_type, NormalizedValue(value))


def identifiers(*texts: str) -> list[NormalizedIdentifier]:
    return [identifier(text) for text in texts]


def adding(*texts: str) -> Change:
    return Change(tuple(identifiers(*texts)))


def timed(**times: float) -> dict[NormalizedIdentifier, datetime]:
    """`timed(a=1)` is the e-mail address `a`, added at second 1."""
    return {identifier(f"email:{value}"): at(seconds) for value, seconds in times.items()}


def holder(number: int, *texts: str) -> Profile:
    """Return the profile with this ID and these identifiers."""
    return Profile(UUID(int=number), dict.fromkeys(identifiers(*texts), at(0)), {})


def profile(
    number: int,
    held: Mapping[NormalizedIdentifier, datetime] | None = None,
    traits: Mapping[TraitName, Trait] | None = None,
) -> Profile:
    return Profile(UUID(int=number), held or {}, traits or {})


def contact(name: str) -> TraitName:
    return TraitName("Contact", name)


def trait(value: TraitValue, seconds: float) -> dict[TraitName, Trait]:
    """Return the city, written at this second."""
    return {contact("city"): Trait(value, at(seconds))}


def ids(*numbers: int) -> list[UUID]:
    return [UUID(int=number) for number in numbers]


def separated(*decisions: tuple[str, list[list[UUID]]]) -> dict[UUID, Separations]:
    """Return what these decisions, `split` or `lift`, leave of each ID."""
    separations: dict[UUID, Separations] = {}
    for number, (what, parts) in enumerate(decisions):
        for each, separation in parted(UUID(int=1000 + number), parts, is_lifted=what == "lift").items():
            separations[each] = separations.get(each, frozenset()) | {separation}
    return separations
