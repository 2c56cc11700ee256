"""How the schema is distributed over the nodes of Citus, by store: see docs/scaling.md."""

import re

REFERENCE = ("account", "credential", "store", "trait_group", "signing_key", "alembic_version")
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

_IS_THE_STORE = re.compile(r"store_id is not distinct from", re.IGNORECASE)


def routable(statement: str) -> str:
    """Return the statement as Citus must get it, so that it runs on the node of its store.

    PostgreSQL does not use an index for `is not distinct from`, and so the statements compare stores like that where no
    index must be searched by the store alone. Citus looks for an equality to find the node.
    """
    return _IS_THE_STORE.sub("store_id =", statement)
