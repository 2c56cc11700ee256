"""Committed writes are counted for metrics, and evictions are also logged: a limit drops no identifier in silence."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable
from uuid import UUID

from profile_lookup.errors import ProfileLookupError
from profile_lookup.identity.profile_replay import Written
from profile_lookup.metrics.catalogue import EVICTIONS, JOINS, MERGES, WRITES
from profile_lookup.metrics.id_types import OTHER, id_type_label
from profile_lookup.web import ids

log = logging.getLogger(__name__)


def counted_evictions(outcomes: Iterable[Written | ProfileLookupError]) -> Counter[str]:
    """Return how many identifiers of each type limits dropped."""
    return Counter(
        identifier.id_type for outcome in outcomes if isinstance(outcome, Written) for identifier in outcome.evicted
    )


def note_committed(store_id: UUID, outcomes: Collection[Written | ProfileLookupError]) -> None:
    """Count the writes of a transaction that was committed, and log what a limit dropped."""
    for outcome in outcomes:
        if isinstance(outcome, Written):
            WRITES.add(outcome.how)
            if outcome.how == "merged":
                MERGES.add()
                JOINS.add(id_type_label(outcome.rule or OTHER))
    if counts := counted_evictions(outcomes):
        for id_type, count in counts.items():
            EVICTIONS.add(id_type_label(id_type), count=count)
        log.info("limits evicted identifiers", extra={"store": ids.store_id(store_id), "evicted": dict(counts)})
