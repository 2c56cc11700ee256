"""Resolution decides, from a request's identifiers and the profiles that share any of them, which person is meant."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from profile_lookup.errors import IdentifierConflict
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.merging import earliest_first
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.rules import IdentityResolutionSettings


@dataclass(frozen=True, slots=True)
class Create:
    """The request is about a new person."""


@dataclass(frozen=True, slots=True)
class Update:
    """The request is about the person of this profile."""

    profile: Profile


@dataclass(frozen=True, slots=True)
class Merge:
    """These profiles are one person. `rule` is the first of the matching rules by which they matched."""

    canonical: Profile
    absorbed: tuple[Profile, ...]
    rule: str


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

    Raises `IdentifierConflict` for a value of a unique type outside the rules that somebody else holds.
    """
    candidates = earliest_first(candidates)
    matching = {profile.id: _matching(settings, incoming, profile) for profile in candidates}
    strong = [profile for profile in candidates if profile.id == known or _is_strong(settings, matching[profile.id])]
    weak = [profile for profile in candidates if len(matching[profile.id]) == 1 and profile not in strong]

    resolution: Resolution
    match strong, weak:
        case ([canonical, _, *_], _):
            others = [profile for profile in strong if profile.id != known]
            matched_types = {identifier.id_type for profile in others for identifier in matching[profile.id]}
            rule = next(rule for rule in settings.matching_rules if rule in matched_types)
            resolution = Merge(canonical, tuple(strong[1:]), rule)
        case ([profile], _) | ([], [profile]):
            resolution = Update(profile)
        case _:
            resolution = Create()

    one_person = profiles_of(resolution)
    _refuse_conflicts(settings, incoming, (profile for profile in candidates if profile not in one_person))
    return resolution


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
