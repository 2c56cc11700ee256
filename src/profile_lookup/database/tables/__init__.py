"""Every table, index and constraint. Each subject has a module; whoever needs the whole schema imports this one.

Every primary key but those of `account`, `signing_key`, `sign_in_link` and `ended_session` starts with its tenant,
`account_id` or `store_id`. The constraints are alarms: in a correct run none of them fires, and a mistake fails a
transaction instead of losing data.

- `identifier` and `alias` point at `profile`, which holds canonical profiles only, and neither foreign key
  cascades: an identifier is never on an alias, an alias never points at an alias, and a merge that omits a row
  fails.
- `identifier.shared_by` is empty if its type's values are unique (`enforceUnique`), and the profile's ID if not. So
  the primary key allows one holder of a unique value, and many holders of another one.
- `identifier.fuzzy_key` stands for store and type where `matchingAlgo` is fuzzy, so that the index for similarity
  holds only identifiers that are searched by it.

Values of identifiers and traits are in `identifier.value`, `profile.traits` and `event.document`, in
`operation_item.input` until the item is done, in `operation_piece.content` until the operation has ended, and nowhere
else. Those that a store blocks are also in `store.blocked_values`.
"""

from profile_lookup.database.tables.accounts import account, credential, ended_session, sign_in_link, signing_key
from profile_lookup.database.tables.columns import metadata
from profile_lookup.database.tables.history import event, event_batch, event_feed, history_end, separation
from profile_lookup.database.tables.imports import import_refusals, profile_import
from profile_lookup.database.tables.operations import (
    operation,
    operation_item,
    operation_piece,
    operation_turn,
    preview_form,
    preview_result,
    split_part,
    undo_result,
)
from profile_lookup.database.tables.profiles import EVENT_NUMBERS, alias, identifier, profile, suspect
from profile_lookup.database.tables.stores import store, trait_group

__all__ = [
    "EVENT_NUMBERS",
    "account",
    "alias",
    "credential",
    "ended_session",
    "event",
    "event_batch",
    "event_feed",
    "history_end",
    "identifier",
    "import_refusals",
    "metadata",
    "operation",
    "operation_item",
    "operation_piece",
    "operation_turn",
    "preview_form",
    "preview_result",
    "profile",
    "profile_import",
    "separation",
    "sign_in_link",
    "signing_key",
    "split_part",
    "store",
    "suspect",
    "trait_group",
    "undo_result",
]
