"""Where each table is."""

REFERENCE = (
    "account",
    "credential",
    "sign_in_link",
    "ended_session",
    "store",
    "trait_group",
    "signing_key",
    "alembic_version",
    "schema_revision",
)
"""Tables that each node has a copy of. A change of one is made on all nodes."""

DISTRIBUTED = (
    "profile",
    "alias",
    "identifier",
    "event",
    "separation",
    "suspect",
    "history_end",
    "event_feed",
    "event_batch",
)
"""Tables of which each node has the rows of some stores. The rows of a store are together on one node."""

LOCAL = (
    "operation",
    "operation_turn",
    "operation_item",
    "operation_piece",
    "preview_form",
    "preview_result",
    "undo_result",
    "split_part",
    "profile_import",
    "import_refusals",
)
"""Tables that the coordinator has alone: the queue of operations, and imports."""
