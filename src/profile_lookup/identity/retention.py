"""How many values of a type a profile keeps, and which."""

from collections.abc import Collection, Mapping
from datetime import datetime

from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings


def retained(
    settings: IdentityResolutionSettings,
    held: Mapping[NormalizedIdentifier, datetime],
    carried: Collection[NormalizedIdentifier],
) -> dict[NormalizedIdentifier, datetime]:
    """Apply each type's limit to all that a profile would hold.

    `held` gives the time each identifier was added, the request's own included; `carried` are those the request
    brings: `fifo` never drops them for older values, so that what was just written is found.
    """
    kept: dict[NormalizedIdentifier, datetime] = {}
    for id_type in {identifier.id_type for identifier in held}:
        of_type = {identifier: at for identifier, at in held.items() if identifier.id_type == id_type}
        kept |= _within_limit(settings.config(id_type), of_type, carried)
    return kept


def _within_limit(
    config: IdentifierConfig,
    held: Mapping[NormalizedIdentifier, datetime],
    carried: Collection[NormalizedIdentifier],
) -> dict[NormalizedIdentifier, datetime]:
    oldest_first = sorted(held, key=lambda identifier: (held[identifier], identifier))
    if config.limit_policy == "lifo":
        keep = oldest_first[: config.limit]
    else:
        by_claim = sorted(oldest_first, key=lambda identifier: identifier in carried)
        keep = by_claim[-config.limit :]
    return {identifier: held[identifier] for identifier in keep}
