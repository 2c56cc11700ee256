"""Retention decides how many values of a type a profile keeps, and which ones."""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from operator import itemgetter

from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings

_ID_TYPE = itemgetter(0)


def retained(
    settings: IdentityResolutionSettings,
    held: Mapping[NormalizedIdentifier, datetime],
    carried: Collection[NormalizedIdentifier],
) -> dict[NormalizedIdentifier, datetime]:
    """Return the identifiers that a profile keeps once each type's limit is applied.

    `held` maps all identifiers, those of the request included, to the time when each was added. `carried` are those of
    the request: `fifo` never evicts them in favour of older values, so that a value just written is found.
    """
    counts = Counter(map(_ID_TYPE, held))
    if all(count <= settings.config(id_type).limit for id_type, count in counts.items()):
        return dict(held)
    by_type: dict[str, dict[NormalizedIdentifier, datetime]] = {}
    for identifier, added_at in held.items():
        by_type.setdefault(identifier.id_type, {})[identifier] = added_at
    kept: dict[NormalizedIdentifier, datetime] = {}
    for id_type, of_type in by_type.items():
        kept |= _within_limit(settings.config(id_type), of_type, carried)
    return kept


def first_to_go(config: IdentifierConfig, held: Mapping[NormalizedIdentifier, datetime]) -> NormalizedIdentifier:
    """Return the value of a type that its policy evicts first: `fifo` the oldest, `lifo` the newest."""
    oldest_first = _oldest_first(held)
    return oldest_first[0 if config.limit_policy == "fifo" else -1]


def _within_limit(
    config: IdentifierConfig,
    held: dict[NormalizedIdentifier, datetime],
    carried: Collection[NormalizedIdentifier],
) -> dict[NormalizedIdentifier, datetime]:
    if len(held) <= config.limit:
        return held
    oldest_first = _oldest_first(held)
    if config.limit_policy == "lifo":
        keep = oldest_first[: config.limit]
    else:
        by_claim = sorted(oldest_first, key=frozenset(carried).__contains__)
        keep = by_claim[-config.limit :]
    return {identifier: held[identifier] for identifier in keep}


def _oldest_first(held: Mapping[NormalizedIdentifier, datetime]) -> list[NormalizedIdentifier]:
    return sorted(held, key=lambda identifier: (held[identifier], identifier))
