"""Evictions are counted and logged by type: a limit drops no identifier in silence."""

import logging
from collections import Counter
from collections.abc import Iterable
from uuid import UUID

from profile_lookup.errors import ProfileLookupError
from profile_lookup.identity.profile_replay import Written
from profile_lookup.web import ids

log = logging.getLogger(__name__)


def counted_evictions(outcomes: Iterable[Written | ProfileLookupError]) -> Counter[str]:
    """Return how many identifiers of each type limits dropped."""
    return Counter(
        identifier.id_type for outcome in outcomes if isinstance(outcome, Written) for identifier in outcome.evicted
    )


def log_evictions(store_id: UUID, outcomes: Iterable[Written | ProfileLookupError]) -> None:
    """Log the counts of a transaction that was committed, if a limit dropped anything."""
    if counts := counted_evictions(outcomes):
        log.info("limits evicted identifiers", extra={"store": ids.store_id(store_id), "evicted": dict(counts)})
