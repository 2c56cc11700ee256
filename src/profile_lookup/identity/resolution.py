"""Resolution decides, from a request's identifiers and the profiles that share any of them, which person is meant."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from profile_lookup.errors import IdentifierConflict
from profile_lookup.identity.history.separations import are_apart
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.merging import earliest_first
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.rules import IdentityResolutionSettings


@dataclass(frozen=True, slots=True)
class Create:
    """The request is about a new person."""


@dataclass(frozen=True, slots=True)
class Update:
    """The request is about the person of this profile. `withheld`: its values that stay with somebody kept apart."""

    profile: Profile
    withheld: tuple[NormalizedIdentifier, ...] = ()


@dataclass(frozen=True, slots=True)
class Merge:
    """These profiles are one person. `rule` is the first of the matching rules by which they matched.

    `withheld`: the request's values that stay with somebody kept apart.
    """

    canonical: Profile
    absorbed: tuple[Profile, ...]
    rule: str
    withheld: tuple[NormalizedIdentifier, ...] = ()


Resolution = Create | Update | Merge


def profiles_of(resolution: Resolution) -> tuple[Profile, ...]:
    """Return the person's profiles, the canonical one first; a new person has none."""
    match resolution:
        case Create():
            return ()
        case Update(profile):
            return (profile,)
        case Merge(canonical, absorbed):
            return (canonical, *absorbed)


def withheld_of(resolution: Resolution) -> tuple[NormalizedIdentifier, ...]:
    """Return the request's values that stay with somebody who is kept apart from the person."""
    return () if isinstance(resolution, Create) else resolution.withheld


def resolve(
    settings: IdentityResolutionSettings,
    incoming: Collection[NormalizedIdentifier],
    candidates: Iterable[Profile],
    known: UUID | None = None,
) -> Resolution:
    """Decide which person a request is about.

    Only types in the matching rules match. A profile matches *strongly* by one value of a unique type or by two
    identifiers of other types, and *weakly* by a single one of those. All strong matches are one person. Without a
    strong match, a single weak match is the person; several weak matches name nobody, so the person is new.

    A request to a `known` profile is about that person, and all strong matches are the same person.

    Of strong matches that are kept apart, the first one is meant: the known profile, then the one with the earlier
    rule, the earlier value in the request, the smaller ID. Each further one joins if it is kept apart from none of
    those taken before it. The others are left out: a value of a unique type stays with them.

    Raises `IdentifierConflict` for a value of a unique type that somebody else holds who did not match.
    """
    candidates = earliest_first(candidates)
    matching = {profile.id: _matching(settings, incoming, profile) for profile in candidates}
    strong = [profile for profile in candidates if profile.id == known or _is_strong(settings, matching[profile.id])]
    weak = [profile for profile in candidates if len(matching[profile.id]) == 1 and profile not in strong]
    taken = _joinable(settings, incoming, strong, matching, known)
    withheld = _withheld(settings, incoming, [profile for profile in strong if profile not in taken])

    resolution: Resolution
    match taken, weak:
        case ([canonical, _, *_], _):
            others = [profile for profile in taken if profile.id != known]
            matched_types = {identifier.id_type for profile in others for identifier in matching[profile.id]}
            rule = next(rule for rule in settings.matching_rules if rule in matched_types)
            resolution = Merge(canonical, tuple(taken[1:]), rule, withheld)
        case ([profile], _) | ([], [profile]):
            resolution = Update(profile, withheld)
        case _:
            resolution = Create()

    one_person = profiles_of(resolution)
    strangers = (profile for profile in candidates if profile not in one_person and profile not in strong)
    _refuse_conflicts(settings, incoming, strangers)
    return resolution


def _joinable(
    settings: IdentityResolutionSettings,
    incoming: Collection[NormalizedIdentifier],
    strong: list[Profile],
    matching: Mapping[UUID, set[NormalizedIdentifier]],
    known: UUID | None,
) -> list[Profile]:
    """Return those of the strong matches that are one person, earliest first."""
    if not any(profile.separations for profile in strong):
        return strong
    places = {identifier: place for place, identifier in enumerate(dict.fromkeys(incoming))}
    taken: list[Profile] = []
    for profile in sorted(
        strong,
        key=lambda profile: (
            profile.id != known,
            claim(settings.matching_rules, places, matching[profile.id]),
            profile.id,
        ),
    ):
        if not any(are_apart(profile.separations, other.separations) for other in taken):
            taken.append(profile)
    return earliest_first(taken)


def claim(
    rules: Sequence[str], places: Mapping[NormalizedIdentifier, int], matched: Iterable[NormalizedIdentifier]
) -> tuple[int, int]:
    """Return how early a match is: the position of its first rule, then that of its first value in the request."""
    positions = ((rules.index(each.id_type), places.get(each, 0)) for each in matched if each.id_type in rules)
    return min(positions, default=(len(rules), 0))


def _withheld(
    settings: IdentityResolutionSettings, incoming: Collection[NormalizedIdentifier], left_out: Collection[Profile]
) -> tuple[NormalizedIdentifier, ...]:
    return tuple(
        identifier
        for identifier in incoming
        if any(identifier in profile.identifiers for profile in left_out) and settings.is_unique(identifier.id_type)
    )


def _matching(
    settings: IdentityResolutionSettings, incoming: Collection[NormalizedIdentifier], profile: Profile
) -> set[NormalizedIdentifier]:
    return {
        identifier
        for identifier in incoming
        if identifier in profile.identifiers and identifier.id_type in settings.matching_rules
    }


def _is_strong(settings: IdentityResolutionSettings, matching: set[NormalizedIdentifier]) -> bool:
    return len(matching) > 1 or any(settings.is_unique(identifier.id_type) for identifier in matching)


def _refuse_conflicts(
    settings: IdentityResolutionSettings,
    incoming: Collection[NormalizedIdentifier],
    strangers: Iterable[Profile],
) -> None:
    """Raise `IdentifierConflict` if the request carries a value of a unique type that one of these profiles holds."""
    for profile in strangers:
        for identifier in incoming:
            if identifier in profile.identifiers and settings.is_unique(identifier.id_type):
                raise IdentifierConflict(identifier.id_type)
