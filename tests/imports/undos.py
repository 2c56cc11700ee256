"""Makes, cancels and undoes imports over HTTP, and exports stores to compare them."""

from collections.abc import Mapping
from typing import Any

import httpx

from profile_lookup.database.pool import Database
from tests.conftest import finished
from tests.database.archived_stores import exported
from tests.imports.conftest import imported


async def import_of(client: httpx.AsyncClient, store_id: str, *rows: str) -> str:
    """Import rows of e-mail address, phone number and first name, and return the import's ID."""
    answer, _ = await imported(client, store_id, "\n".join(["E-mail,Phone,First", *rows, ""]))
    assert answer["status"] == "COMPLETED", answer
    listed = (await client.get(f"/v1/Stores/{store_id}/Profiles/Imports")).json()["imports"]
    import_id: str = listed[0]
    return import_id


def undo_path(store_id: str, import_id: str) -> str:
    return f"/v1/Stores/{store_id}/Profiles/Imports/{import_id}/Undo"


async def undone(
    client: httpx.AsyncClient, store_id: str, import_id: str, *, dry_run: bool = False
) -> list[dict[str, Any]]:
    """Undo an import, or try it, and return the results of the operation once it is completed."""
    answer = await client.post(undo_path(store_id, import_id), json={"dryRun": dry_run})
    operation = await finished(client, answer)
    assert operation["status"] == "COMPLETED", operation
    return await results_of(client, operation)


async def results_of(client: httpx.AsyncClient, operation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all results of an operation, page by page."""
    results: list[dict[str, Any]] = []
    parameters = {"pageSize": "1000"}
    while True:
        page = (await client.get(operation["resultUrl"], params=parameters)).json()
        results += page["results"]
        if "nextToken" not in page["meta"]:
            return results
        parameters["pageToken"] = page["meta"]["nextToken"]


async def profiles_in(database: Database, store_id: str) -> list[bytes]:
    """Return the archive of a store, a line for each profile after the first line."""
    return await exported(database, store_id)
