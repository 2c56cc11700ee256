"""Rows about new people are written together; the result is that of one request after another for all rows."""

import json
from uuid import UUID

import asyncpg
import httpx
from benchmarks.final_state import differences, final_state

from profile_lookup.imports.refused_rows import as_csv
from profile_lookup.web import ids
from tests.imports.conftest import imported, mappings
from tests.imports.random_rows import COLUMNS, NO_NUMBER, Row, make_known_store, random_rows


async def _send_one_by_one(client: httpx.AsyncClient, store_id: str, rows: list[Row]) -> int:
    """Send a request for each row, without the cells that an import ignores; return how many were refused."""
    refused = 0
    for *cells, chats in rows:
        contact = {
            name: cell for name, cell in zip(COLUMNS.values(), cells, strict=True) if cell not in ("", NO_NUMBER)
        }
        traits = {"Contact": contact, "More": {"chats": chats}} if chats else {"Contact": contact}
        answer = await client.post(f"/v1/Stores/{store_id}/Profiles", json={"traits": traits})
        assert answer.status_code in (202, 400), answer.text
        refused += answer.status_code == 400
    return refused


async def test_an_import_of_new_and_known_people_leaves_what_single_requests_leave(
    client: httpx.AsyncClient, database_url: str
) -> None:
    rows = list(random_rows(400))
    store, single = await make_known_store(client, "imported"), await make_known_store(client, "single")
    content = as_csv([[*COLUMNS, "chats"], *((*cells, json.dumps(chats) if chats else "") for *cells, chats in rows)])
    columns = [*mappings(**COLUMNS), {"columnName": "chats", "traitGroup": "More", "traitName": "chats"}]
    answer, _ = await imported(client, store, content, columns)
    refused = await _send_one_by_one(client, single, rows)
    progress = answer["progress"]
    assert (answer["status"], progress["refused"]) == ("COMPLETED", refused)
    assert all(progress[count] for count in ("updated", "merged", "refused", "cellsIgnored", "evicted")), progress
    assert progress["created"] > 300
    connection = await asyncpg.connect(database_url)
    states = [await final_state(connection, ids.decoded(each) or UUID(int=0)) for each in (store, single)]
    await connection.close()
    assert list(differences(*states)) == []
