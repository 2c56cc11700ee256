"""Events of a store itself: its settings, blocked values, trait groups, name or description have changed."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.database.citus.statements import in_store
from profile_lookup.database.documents import json_text
from profile_lookup.database.ids import new_id
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.event_document import event_document

_NO_PROFILE = UUID(int=0)


async def record_settings_change(connection: AsyncConnection, store_id: UUID, actor: Actor | None) -> None:
    """Record that the settings of a store have changed, and who asked for it.

    Whoever reads the feed needs two things: that the caller holds the lock on the store's rules, and that the
    transaction has its ID, because it has written something, before the event draws its number.
    """
    changed = Event(new_id(), "storeSettingsChanged", CLOCK.now(), _NO_PROFILE, actor=actor)
    parameters = {
        "store_id": store_id,
        "id": changed.id,
        "kind": changed.kind,
        "happened_at": changed.at,
        "document": json_text(event_document(changed)),
    }
    await connection.execute(_RECORD, parameters)


_RECORD = in_store(
    "record_settings_change",
    """
    insert into event (store_id, number, id, kind, happened_at, document)
    values (:store_id, nextval('event_number'), :id, :kind, :happened_at, cast(cast(:document as text) as json))
""",
)
