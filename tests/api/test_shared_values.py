"""A value under which very many names are written is nobody's own: `maxProfilesPerValue`, over HTTP."""

import logging

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from tests.api.test_blocked_values import create, error_of, identifiers_of, put
from tests.conftest import change_settings, finished, look_up, make_profile
from tests.imports.conftest import imported


async def counts(database: Database) -> dict[str, int]:
    async with database.statements() as connection:
        rows = await connection.execute(
            text("select value, cardinality(names) from identifier where names is not null")
        )
        return {row[0]: row[1] for row in rows}


@pytest.fixture
async def limited(client: httpx.AsyncClient, store_id: str) -> str:
    """A store in which a value joins two names."""
    await finished(client, await put(client, store_id, maxProfilesPerValue=2))
    return store_id


async def test_a_value_joins_two_names_and_no_third(
    client: httpx.AsyncClient, limited: str, database: Database
) -> None:
    office = "office@acme.example"
    joined = await make_profile(client, limited, email=office, phone="+13175550001", firstName="Ada", lastName="L")
    assert await make_profile(client, limited, email=office, phone="+13175550002", firstName="Bo") == joined
    stranger = await make_profile(client, limited, email=office, phone="+13175550003", firstName="Cy")
    assert stranger != joined
    assert await identifiers_of(client, limited, stranger) == {"phone": ["+13175550003"]}
    traits = (await client.get(f"/v1/Stores/{limited}/Profiles/{stranger}")).json()["traits"]["Contact"]
    assert traits["email"] == office
    assert await look_up(client, limited, "email", office) == [joined]
    assert await make_profile(client, limited, email=office, firstName=" ADA", lastName="l ") == joined
    assert await make_profile(client, limited, email=office) == joined
    assert await counts(database) == {office: 3}


async def test_a_create_with_nothing_else_is_refused(client: httpx.AsyncClient, limited: str) -> None:
    for name in ("Ada", "Bo"):
        await make_profile(client, limited, email="office@acme.example", firstName=name)
    refused = await create(client, limited, email="office@acme.example", firstName="Cy")
    assert error_of(refused)[:2] == (400, 520005)
    assert "maxProfilesPerValue" in error_of(refused)[2]
    assert "acme" not in error_of(refused)[2]


async def test_an_allowed_value_joins_all_names(client: httpx.AsyncClient, store_id: str) -> None:
    office = {"idType": "email", "value": "office@acme.example"}
    await finished(client, await put(client, store_id, maxProfilesPerValue=2, allowed=[office]))
    people = {await make_profile(client, store_id, email=office["value"], firstName=f"Name {n}") for n in range(4)}
    assert len(people) == 1


async def test_a_type_that_is_not_unique_has_no_limit(
    client: httpx.AsyncClient, limited: str, database: Database
) -> None:
    await change_settings(client, limited, chat={"enforceUnique": False})
    people = {await make_profile(client, limited, chat="bot", firstName=f"Name {n}") for n in range(4)}
    assert len(people) == 1
    assert await counts(database) == {}


async def test_names_survive_a_merge_and_a_new_normalization(
    client: httpx.AsyncClient, limited: str, database: Database
) -> None:
    earlier = await make_profile(client, limited, phone="+13175550001")
    for name in ("Ada", "Bo"):
        await make_profile(client, limited, chat="Desk 1", firstName=name)
    assert await make_profile(client, limited, chat="Desk 1", phone="+13175550001") == earlier
    assert await counts(database) == {"Desk 1": 2}
    assert (await change_settings(client, limited, chat={"normalization": "none"}))["status"] == "COMPLETED"
    assert await counts(database) == {"Desk 1": 2}
    stranger = await make_profile(client, limited, chat="Desk 1", phone="+13175550002", firstName="Cy")
    assert stranger != earlier


async def test_a_notice_names_store_and_type_once_at_fifty_names(
    client: httpx.AsyncClient, store_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="profile_lookup.ingest.ingest")
    for number in range(51):
        await make_profile(client, store_id, email="office@acme.example", firstName=f"Name{number}")
    notices = [vars(record) for record in caplog.records if "many names" in record.message]
    assert [(each["store_id"], each["id_type"], each["names"]) for each in notices] == [(store_id, "email", 50)]
    assert "acme" not in str(notices)
    assert "Name50" not in str(notices)


async def test_an_import_and_a_batch_count_names_like_creates(
    client: httpx.AsyncClient, limited: str, database: Database
) -> None:
    rows = "".join(f"office@acme.example,+1317555{number:04},Name{number}\r\n" for number in range(40))
    answer, refused = await imported(client, limited, f"E-mail,Phone,First\r\n{rows}")
    assert refused == []
    assert answer["progress"].items() >= {"created": 39, "updated": 1, "merged": 0}.items()
    profiles = [
        {"traits": {"Contact": {"email": "office@acme.example", "firstName": f"Other{number}"}}} for number in range(3)
    ]
    operation = await finished(
        client, await client.put(f"/v1/Stores/{limited}/Profiles/Bulk", json={"profiles": profiles})
    )
    results = (await client.get(operation["resultUrl"])).json()["results"]
    assert {each["error"]["code"] for each in results} == {520010}
    assert await counts(database) == {"office@acme.example": 40}
