"""Rows about new people are written together; the result is that of one request after another for all rows."""

import json
import random
from collections.abc import Iterator
from uuid import UUID

import asyncpg
import httpx
from benchmarks.final_state import differences, final_state

from profile_lookup.imports.refused_rows import as_csv
from profile_lookup.web import ids
from tests.conftest import change_settings, make_profile, make_store
from tests.imports.conftest import imported, mappings

COLUMNS = {"E-mail": "email", "Phone": "phone", "First": "firstName"}
GROUP = {"displayName": "More", "traits": {"chats": {"dataType": "ARRAY", "idTypePromotion": "chat"}}}

NO_NUMBER = "no number"

Row = tuple[str, str, str, list[str]]  # e-mail, phone, first name, and chats


async def _make_store(client: httpx.AsyncClient, name: str) -> str:
    """Make a store that knows some people, keeps two chats of each, and lets several people share a chat."""
    store_id = await make_store(client, name)
    await change_settings(client, store_id, chat={"enforceUnique": False, "limit": 2})
    assert (await client.post(f"/v1/ControlPlane/Stores/{store_id}/TraitGroups", json=GROUP)).status_code == 202
    for number in range(5):
        await make_profile(client, store_id, email=f"known-{number}@example.com", phone=f"+1317555000{number}")
    return store_id


def _rows(count: int) -> Iterator[Row]:
    """Yield rows of which most are about new people. Others are about known people, blocked, or refused."""
    chosen = random.Random(1)
    for number in range(count):
        email, phone = f"new-{number}@example.com", f"+1317556{number:04}"
        chats = [f"chat {number} {place}" for place in range(chosen.randrange(4))]
        kind = chosen.randrange(20)
        if kind == 0:
            email = f"known-{chosen.randrange(8)}@example.com"
        elif kind == 1:
            phone = f"+1317555000{chosen.randrange(8)}"
        elif kind == 2:
            email, phone = f"new-{chosen.randrange(count)}@example.com", ""
        elif kind == 3:
            email = chosen.choice(("n/a", "test@test.com", "noemail@example.com"))
        elif kind == 4:
            phone = NO_NUMBER
        elif kind == 5:
            email, phone = "", chosen.choice(("", "unknown"))
        elif kind == 6:
            chats.append(f"shared {chosen.randrange(3)}")
        elif kind == 7:
            email, phone = f"known-{chosen.randrange(8)}@example.com", f"+1317555000{chosen.randrange(8)}"
        yield email, phone, chosen.choice(("Ann", "Bob", "")), chats


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
    rows = list(_rows(400))
    store, single = await _make_store(client, "imported"), await _make_store(client, "single")
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
