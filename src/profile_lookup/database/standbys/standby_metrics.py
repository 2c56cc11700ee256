"""Measures the standbys of one process, for the metrics."""

from collections.abc import Iterable

from profile_lookup.database.standbys.standby import Standby
from profile_lookup.metrics.catalogue import STANDBY_LAG, STANDBY_READS, STANDBY_USED


def measure_standbys(standbys: Iterable[Standby]) -> None:
    """Set the counters and gauges of each standby. Its label is its number in the setting."""
    for standby in standbys:
        label, counters = str(standby.number), standby.counters
        STANDBY_READS.counts[label, "answered"] = counters.answered
        STANDBY_READS.counts[label, "late"] = counters.late
        STANDBY_READS.counts[label, "failed"] = counters.failed
        STANDBY_USED.set(standby.is_used, label)
        if standby.lag is not None:
            STANDBY_LAG.set(standby.lag, label)
