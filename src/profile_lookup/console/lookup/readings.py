"""How a store's settings read what somebody typed, as a value of each identifier type."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from profile_lookup.errors import IdentifierRefused, ValueRefused
from profile_lookup.identity.blocked_values import Block
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.lookup.batch_lookup import BatchResult, LookupResult
from profile_lookup.stores.rules_cache import StoreRules

_SPECIFIC = ("phone", "email")
"""The normalizations that accept only what looks like a value of theirs."""


class Reading(NamedTuple):
    """What the store would keep of a text as a value of these types; None if it would not keep it, for this `reason`.

    `is_blocked` says that the text identifies nobody in this store.
    """

    id_types: tuple[str, ...]
    value: NormalizedValue | None
    reason: str = ""
    is_blocked: bool = False


def readings_of(store: StoreRules, typed: str, id_types: Iterable[str]) -> list[Reading]:
    """Return how the store reads a text. Types that read it alike share a reading, and refusals come last.

    Numbers and addresses come first, because other types accept nearly every text.
    """
    alike: dict[Reading, list[str]] = {}
    for id_type in sorted(id_types, key=lambda each: store.settings.config(each).normalization not in _SPECIFIC):
        reading = _reading(store, Identifier(id_type, typed))
        alike.setdefault(reading._replace(id_types=()), []).append(id_type)
    readings = [reading._replace(id_types=tuple(same)) for reading, same in alike.items()]
    return sorted(readings, key=lambda each: each.value is None)


def _reading(store: StoreRules, sent: Identifier) -> Reading:
    try:
        judged = store.blocked_values.judge(store.settings, sent)
    except ValueRefused as refused:
        return Reading((sent.id_type,), None, refused.reason)
    if isinstance(judged, Block):
        return Reading((sent.id_type,), None, is_blocked=True)
    return Reading((sent.id_type,), judged.value)


def found_people(
    results: Sequence[BatchResult], id_types: Sequence[str]
) -> Mapping[UUID, Sequence[NormalizedIdentifier]]:
    """Return the profiles that a lookup of each type found, with the identifiers by which they were found."""
    found: dict[UUID, list[NormalizedIdentifier]] = {}
    for profile_id, identifier in _found(results, id_types):
        found.setdefault(profile_id, []).append(identifier)
    return found


def _found(results: Sequence[BatchResult], id_types: Sequence[str]) -> Iterator[tuple[UUID, NormalizedIdentifier]]:
    for id_type, result in zip(id_types, results, strict=True):
        if not isinstance(result, IdentifierRefused):
            assert isinstance(result, LookupResult)
            for profile_id in result.profile_ids:
                yield profile_id, NormalizedIdentifier(id_type, result.normalized_value)
