"""Which handler does which kind of operation, and the worker that runs the handlers."""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial

from profile_lookup.database.connections import STEP_LIMITS
from profile_lookup.database.pool import DEDICATED, WATCHED, Database
from profile_lookup.errors import Unavailable
from profile_lookup.imports.dry_runs.dry_run import dry_run_rows
from profile_lookup.imports.import_job import import_handler
from profile_lookup.imports.s3 import bucket_of
from profile_lookup.imports.undo.undo_job import undo_import
from profile_lookup.jobs.blocked_values import update_blocked_values
from profile_lookup.jobs.bulk import update_profiles_bulk
from profile_lookup.jobs.erasure import erase_store, forget_traits
from profile_lookup.jobs.history_end import end_history
from profile_lookup.jobs.large_splits import split_profile
from profile_lookup.jobs.normalization_drift import queue_renormalizations, renormalize_values
from profile_lookup.jobs.renormalization import update_settings
from profile_lookup.jobs.settings_preview import preview_settings
from profile_lookup.operations.job import Handler
from profile_lookup.operations.job_worker import MAX_RUNNING, MAX_RUNNING_LONG, run_worker
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.settings import Settings

log = logging.getLogger(__name__)

HANDLERS: dict[str, Handler] = {
    OperationKind.ERASE_STORE: erase_store,
    OperationKind.RENORMALIZE_VALUES: renormalize_values,
    OperationKind.FORGET_TRAITS: forget_traits,
    OperationKind.PREVIEW_SETTINGS: preview_settings,
    OperationKind.SPLIT_PROFILE: split_profile,
    OperationKind.UNDO_IMPORT: undo_import,
    OperationKind.UPDATE_BLOCKED_VALUES: update_blocked_values,
    OperationKind.UPDATE_PROFILES_BULK: update_profiles_bulk,
    OperationKind.UPDATE_SETTINGS: update_settings,
}
"""The handler of each kind of operation."""

LONG = frozenset(
    {
        OperationKind.DRY_RUN_IMPORT,
        OperationKind.IMPORT_PROFILES,
        OperationKind.ERASE_STORE,
        OperationKind.FORGET_TRAITS,
        OperationKind.PREVIEW_SETTINGS,
        OperationKind.RENORMALIZE_VALUES,
        OperationKind.SPLIT_PROFILE,
        OperationKind.UNDO_IMPORT,
        OperationKind.UPDATE_BLOCKED_VALUES,
    }
)
"""Kinds that may take minutes. A worker limits how many of them it does at a time, so that others need not wait."""

POOL_SIZE = MAX_RUNNING + MAX_RUNNING_LONG + 2  # an import does two steps at the same time
CONNECTIONS = POOL_SIZE + DEDICATED + WATCHED + MAX_RUNNING_LONG  # a dry run of an import has a session of its own


@asynccontextmanager
async def running_worker(settings: Settings, kinds: Collection[str] | None = None) -> AsyncIterator[None]:
    """Run a worker on connections of its own, whose statements may take longer. `database_url` must be set.

    `kinds`: the kinds of operations that it handles; None means all of them.
    """
    assert settings.database_url is not None
    database_url = settings.database_url.get_secret_value()
    database = Database(database_url, pool_size=POOL_SIZE, limits=STEP_LIMITS)
    directory, bucket = settings.upload_directory, bucket_of(settings)
    handlers = {
        **HANDLERS,
        OperationKind.DRY_RUN_IMPORT: import_handler(directory, bucket, apply=dry_run_rows),
        OperationKind.IMPORT_PROFILES: import_handler(directory, bucket),
    }
    if kinds is not None:
        handlers = {kind: handlers[kind] for kind in kinds}
    else:
        try:
            await queue_renormalizations(database)
        except Unavailable as error:  # the next start does it; the worker itself waits for the database
            log.warning("stores were not compared with the normalization version", exc_info=error)
    hourly = [] if kinds is not None else [partial(end_history, kept_for=timedelta(days=settings.history_days))]
    worker = asyncio.create_task(
        run_worker(database, handlers, long=LONG, hourly=hourly, is_measured=settings.has_metrics)
    )
    try:
        yield
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker
        await database.close()
