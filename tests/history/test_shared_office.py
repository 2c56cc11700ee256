"""An office address makes one person of 150 colleagues; one split gives them back, and they stay apart."""

import httpx
from sqlalchemy import text

from profile_lookup.database.pool import Database
from tests.conftest import look_up
from tests.history.splits import joins_of, split
from tests.imports.conftest import imported
from tests.imports.shared_office import COLUMNS, FILE, OFFICE, PHONES


async def imported_counts(client: httpx.AsyncClient, store_id: str) -> tuple[int, int, int, int]:
    """Import the file, and return how many rows created, updated and merged profiles, and how many were refused."""
    answer, _ = await imported(client, store_id, FILE, COLUMNS)
    assert answer["status"] == "COMPLETED"
    progress = answer["progress"]
    return progress["created"], progress["updated"], progress["merged"], progress["refused"]


async def test_one_split_gives_the_people_of_an_office_back(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    assert await imported_counts(client, store_id) == (1, 149, 0, 0)
    (office,) = await look_up(client, store_id, "email", OFFICE)
    explained = await client.get(f"/v1/Stores/{store_id}/Profiles/{office}/Explanation")
    assert explained.json()["bridges"] == [{"idType": "email", "value": OFFICE, "holdsTogether": 150}]
    assert len(explained.json()["joins"]) == 149

    joins = await joins_of(database, office)
    done = await split(client, store_id, office, joins, block=[{"idType": "email", "value": OFFICE}])
    assert done.status_code == 202, done.text
    parts = done.json()["profiles"]
    assert [part["identifiers"] for part in parts] == [[{"idType": "phone", "values": [phone]}] for phone in PHONES]
    assert len({part["traits"]["Contact"]["lastName"] for part in parts}) == 150
    found = [await look_up(client, store_id, "phone", phone) for phone in PHONES]
    assert found == [[part["id"]] for part in parts]
    assert await look_up(client, store_id, "email", OFFICE) == []

    assert await imported_counts(client, store_id) == (0, 150, 0, 0)
    assert [await look_up(client, store_id, "phone", phone) for phone in PHONES] == found
    async with database.statements() as connection:
        assert await connection.scalar(text("select count(*) from profile")) == 150
