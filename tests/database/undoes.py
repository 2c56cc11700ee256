"""Writes rows of an import without a file, and undoes it without a worker."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from uuid import UUID, uuid4

from profile_lookup.database.pool import Database
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor
from profile_lookup.imports.undo.requests import HIGHEST_NUMBER
from profile_lookup.imports.undo.undo_job import undo_import
from profile_lookup.ingest.ingest import ingest
from profile_lookup.operations.job import LEASE, Job
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.queue import enqueue, take
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids
from tests.identity.building import identifiers

IMPORT = ids.import_id(UUID(int=1))
ROW = Actor("import", IMPORT, 2)
BEGAN_AT = datetime.now(UTC)


async def write(database: Database, store: StoreRules, *carried: str, actor: Actor | None = None) -> UUID:
    """Write a request that carries these identifiers, and return its profile."""
    return await ingest(database, store, partial(_change, carried), datetime.now(UTC), actor=actor)


async def undo(database: Database, store: StoreRules, *, is_dry_run: bool = False) -> Job:
    """Undo the import, and return the job that did it."""
    job_input = {
        "import_id": IMPORT, "began_at": BEGAN_AT.isoformat(), "is_dry_run": is_dry_run,
        "after": 0, "until": HIGHEST_NUMBER,
    }  # fmt: skip
    kind = OperationKind.UNDO_IMPORT
    async with database.transaction() as connection:
        await enqueue(connection, store.account_id, store.id, kind=kind, job_input=job_input)
    async with database.transaction() as connection:
        taken = await take(connection, [kind], uuid4(), LEASE)
    assert taken is not None
    job = Job(database, taken)
    await undo_import(job)
    return job


def _change(carried: Sequence[str], _: StoreRules) -> Change:
    return Change(tuple(identifiers(*carried)))
