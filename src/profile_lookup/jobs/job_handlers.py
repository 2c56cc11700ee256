"""Who does which kind of operation, and the worker that has them done."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress

from profile_lookup.database.pool import Database
from profile_lookup.identity_settings.queries import UPDATE_SETTINGS
from profile_lookup.imports.import_job import importing
from profile_lookup.imports.queries import IMPORT_PROFILES
from profile_lookup.imports.s3 import bucket_of
from profile_lookup.jobs.bulk import UPDATE_PROFILES_BULK, update_profiles_bulk
from profile_lookup.jobs.erasure import erase_store, forget_traits
from profile_lookup.jobs.renormalization import update_settings
from profile_lookup.operations.job_worker import AT_ONCE, LONG_AT_ONCE, Handler, work
from profile_lookup.settings import Settings
from profile_lookup.stores.queries import ERASE_STORE
from profile_lookup.trait_groups.changes import FORGET_TRAITS

HANDLERS: dict[str, Handler] = {
    ERASE_STORE: erase_store,
    FORGET_TRAITS: forget_traits,
    UPDATE_PROFILES_BULK: update_profiles_bulk,
    UPDATE_SETTINGS: update_settings,
}
"""Who does which kind of operation. Those of one store are done in turn, in the order in which they were asked for."""

APART = frozenset({UPDATE_PROFILES_BULK, IMPORT_PROFILES})
"""But these wait for those of their own kind alone, and hold up no others: their steps are writes as all others are,
each of which checks the store's rules under the locks."""

LONG = frozenset({IMPORT_PROFILES, ERASE_STORE, FORGET_TRAITS})
"""May take minutes, and nobody sits and waits: a worker always has time for other kinds besides."""

CONNECTIONS = AT_ONCE + LONG_AT_ONCE + 2  # an import has two steps under way


@asynccontextmanager
async def working(settings: Settings, kinds: Collection[str] | None = None) -> AsyncIterator[None]:
    """A worker, on connections of its own, whose statements may take their time. `database_url` must be set.

    `kinds`: of operations; None: all of them.
    """
    assert settings.database_url is not None
    database_url = settings.database_url.get_secret_value()
    database = Database(database_url, pool_size=CONNECTIONS, command_timeout=None)
    handlers = {**HANDLERS, IMPORT_PROFILES: importing(settings.upload_directory, bucket_of(settings))}
    if kinds is not None:
        handlers = {kind: handlers[kind] for kind in kinds}
    worker = asyncio.create_task(work(database, handlers, apart=APART, long=LONG))
    try:
        yield
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker
        await database.close()
