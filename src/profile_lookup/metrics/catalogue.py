"""Everything that the service counts or measures. Its processes add to these, and `exporter.py` exports them."""

from profile_lookup.metrics.instruments import Counter, Gauge, Histogram, Instrument

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUESTS = Histogram(
    "profile_lookup_request_seconds",
    "Time from the head of a request to its answer, by operation and status.",
    _SECONDS,
    ("operation", "status"),
)
LOOKUP = "CreateProfilesLookup"
"""The operation of the Lookup, which is also counted where it is answered without the application."""
LOOKUPS_TOGETHER = Histogram(
    "profile_lookup_lookups_per_statement",
    "Concurrent Lookups that shared a statement.",
    (1, 2, 4, 8, 16, 32, 64),
)
BATCH_SIZES = Histogram(
    "profile_lookup_batch_lookup_identifiers",
    "Identifiers of a batch lookup.",
    (1, 10, 50, 100, 250, 500, 1000),
)
POOL_WAITS = Histogram(
    "profile_lookup_pool_wait_seconds",
    "Waits for a connection of the pool: for a turn to use one, or for the connection itself.",
    _SECONDS,
    ("waits_for",),
)
UNAVAILABLE = Counter("profile_lookup_unavailable_total", "Answers 503, by reason.", ("reason",))
CONNECTION_REFUSALS = Counter(
    "profile_lookup_connection_refusals_total",
    "Requests that were refused before their operation was known: malformed, too large or too slow.",
    ("status",),
)
UNDER_WAY = Gauge("profile_lookup_requests_under_way", "Requests that are under way, by class of load.", ("load",))
LOAD_LIMITS = Gauge("profile_lookup_requests_limit", "Requests that may be under way, by class of load.", ("load",))
WRITES = Counter(
    "profile_lookup_writes_total", "Committed writes to a person: created, updated or merged.", ("outcome",)
)
JOINS = Counter(
    "profile_lookup_joins_total",
    "Merges, by the identifier type whose matching rule joined the profiles.",
    ("id_type",),
)
MERGES = Counter("profile_lookup_merges_total", "Merges of several profiles into one.")
EVICTIONS = Counter(
    "profile_lookup_evicted_identifiers_total", "Identifiers that a limit dropped, by type.", ("id_type",)
)
BLOCKED_VALUES = Counter(
    "profile_lookup_blocked_values_total", "Values met that identify nobody, by identifier type.", ("id_type",)
)
IMPORT_ROWS = Counter(
    "profile_lookup_import_rows_total",
    "Rows of imports that are done, by outcome: created, updated, merged or refused.",
    ("outcome",),
)
OPERATIONS_WAITING = Gauge(
    "profile_lookup_operations_waiting", "Operations in the queue of the database.", ("kind",), "latest"
)
OPERATIONS_RUNNING = Gauge(
    "profile_lookup_operations_running", "Operations that were begun and have not ended.", ("kind",), "latest"
)
OLDEST_OPERATION = Gauge(
    "profile_lookup_oldest_operation_seconds",
    "Seconds for which the oldest ready operation has waited.",
    ("kind",),
    "latest",
)
STANDBY_READS = Counter(
    "profile_lookup_standby_reads_total",
    "Reads that were sent to a standby, of lookups that ran together as one: it answered, or was late, or failed, and "
    "then the primary answered.",
    ("standby", "outcome"),
)
STANDBY_USED = Gauge(
    "profile_lookup_standby_used", "1 if reads are sent to the standby, otherwise 0.", ("standby",), "latest"
)
STANDBY_LAG = Gauge(
    "profile_lookup_standby_lag_bytes", "Bytes of the log that a standby has not replayed yet.", ("standby",), "latest"
)
AUDIT_LINES_LOST = Counter("profile_lookup_audit_lines_lost_total", "Audit lines that could not be written.")
BUILD = Gauge("profile_lookup_build_info", "1 for the version that runs.", ("version",), "latest")

CATALOGUE: tuple[Instrument, ...] = (
    REQUESTS, LOOKUPS_TOGETHER, BATCH_SIZES, POOL_WAITS, UNAVAILABLE, CONNECTION_REFUSALS, UNDER_WAY, LOAD_LIMITS,
    WRITES, JOINS, MERGES, EVICTIONS, BLOCKED_VALUES, IMPORT_ROWS, OPERATIONS_WAITING, OPERATIONS_RUNNING,
    OLDEST_OPERATION, STANDBY_READS, STANDBY_USED, STANDBY_LAG, AUDIT_LINES_LOST, BUILD,
)  # fmt: skip
