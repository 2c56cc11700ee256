"""Stores whose values were made by an earlier version, and the operation that normalizes them anew."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.identity.values.normalization_version import UNVERSIONED, NormalizationVersion
from profile_lookup.jobs.job_handlers import HANDLERS
from profile_lookup.jobs.normalization_drift import queue_renormalizations
from profile_lookup.operations.job_worker import run_until_idle
from profile_lookup.web import ids
from tests.conftest import PATIENCE


async def insert_former(
    connection: AsyncConnection,
    store_id: str,
    id_type: str,
    value: str,
    *,
    holder: str | None = None,
    names: Sequence[int] | None = None,
    is_unique: bool = True,
) -> str:
    """Insert an identifier as it is, without normalizing it, and return its holder: a new profile if none is given."""
    profile_id, now = new_id() if holder is None else ids.decoded(holder), datetime.now(UTC)
    assert profile_id is not None
    parameters = {
        "store": ids.decoded(store_id), "profile": profile_id, "type": id_type, "value": value, "now": now,
        "names": names, "shared_by": b"" if is_unique else profile_id.bytes,
    }  # fmt: skip
    if holder is None:
        await connection.execute(
            text("insert into profile (store_id, id, created_at) values (:store, :profile, :now)"), parameters
        )
    await connection.execute(
        text("""
            insert into identifier (store_id, id_type, value, profile_id, shared_by, added_at, names)
            values (:store, :type, :value, :profile, :shared_by, :now, :names)
        """),
        parameters,
    )
    return ids.profile_id(profile_id)


async def make_unversioned(connection: AsyncConnection) -> None:
    """Make the stores look like those of an earlier release, which did not store any version."""
    await set_versions(connection, UNVERSIONED)


async def set_versions(
    connection: AsyncConnection, made_by: NormalizationVersion, renormalized_by: NormalizationVersion | None = None
) -> None:
    """Say of the stores which version made their values, and which one normalizes them anew."""
    await connection.execute(
        text("""
            update store set
                normalization = cast(:made_by as jsonb),
                renormalized_by = cast(:renormalized_by as jsonb),
                revision = revision + 1
        """),
        {
            "made_by": json.dumps(made_by.to_document()),
            "renormalized_by": renormalized_by and json.dumps(renormalized_by.to_document()),
        },
    )


async def renormalize(database: Database) -> None:
    """Normalize all stores anew, and return when that has ended; a worker of the application may do some of it."""
    await queue_renormalizations(database)
    async with asyncio.timeout(PATIENCE):
        while True:
            await run_until_idle(database, HANDLERS)
            async with database.statements() as connection:
                if not await connection.scalar(
                    text("select exists (select from operation where status in ('PENDING', 'RUNNING'))")
                ):
                    return
            await asyncio.sleep(0.05)


async def result_of_renormalization(client: httpx.AsyncClient, database: Database) -> dict[str, Any]:
    """Return what the `resultUrl` of the only such operation answers."""
    async with database.statements() as connection:
        operation_id = await connection.scalar(text("select id from operation where kind = 'RENORMALIZE_VALUES'"))
    operation = (await client.get(f"/v1/ControlPlane/Operations/{ids.operation_id(operation_id)}")).json()
    assert operation["status"] == "COMPLETED"
    result: dict[str, Any] = (await client.get(operation["resultUrl"])).json()
    return result
