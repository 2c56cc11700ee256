"""POST /v1/Stores/{storeId}/Profiles/Lookup/Batch"""

import asyncio
from contextlib import ExitStack, suppress

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.errors import Overloaded
from profile_lookup.lookup.batch_lookup import in_pieces
from profile_lookup.web.dependencies import services_of
from tests.access.callers import caller
from tests.api.batch_lookups import batch_body, batch_path, look_up_batch, looked_up_one_by_one
from tests.api.crowds import make_crowd
from tests.conftest import change_settings, look_up, make_account, make_profile, make_store

REFUSED_VALUES = [
    ("phone", "1-800-FLOWERS"), ("phone", ""), ("email", "no address"), ("chat", "x" * 256), ("chat", "nul\0"),
    ("fax", "1"), ("", "c-1"), ("phone", "n/a"),
]  # fmt: skip


async def test_results_have_the_order_of_the_request(client: httpx.AsyncClient, store_id: str) -> None:
    ann = await make_profile(client, store_id, phone="+13175556789")
    bob = await make_profile(client, store_id, email="bob@example.com")
    assert await look_up_batch(
        client,
        store_id,
        [("email", "Bob@example.com"), ("phone", "12"), ("chat", "nobody"), ("phone", "1-317-555-6789")],
    ) == [
        {"normalizedValue": "bob@example.com", "profiles": [bob]},
        *await looked_up_one_by_one(client, store_id, [("phone", "12")]),
        {"normalizedValue": "nobody", "profiles": []},
        {"normalizedValue": "+13175556789", "profiles": [ann]},
    ]


async def test_a_refused_value_fails_alone_with_the_error_of_a_single_lookup(
    client: httpx.AsyncClient, store_id: str
) -> None:
    ann = await make_profile(client, store_id, chat="c-1")
    results = await look_up_batch(client, store_id, [*REFUSED_VALUES, ("chat", "c-1")])
    assert results.pop() == {"normalizedValue": "c-1", "profiles": [ann]}
    for (id_type, value), result in zip(REFUSED_VALUES, results, strict=True):
        assert result.keys() == {"error"}
        assert result["error"].keys() == {"code", "message"}
        assert result["error"]["code"] == 520046
        assert id_type != "phone" or not value or value not in result["error"]["message"]
    unbounded = [each for each in REFUSED_VALUES if 0 < len(each[1]) <= 255 and each[0]]  # others fail by their form
    assert [result for each, result in zip(REFUSED_VALUES, results, strict=True) if each in unbounded] == (
        await looked_up_one_by_one(client, store_id, unbounded)
    )


async def test_a_batch_of_refused_values_alone_is_answered(client: httpx.AsyncClient, store_id: str) -> None:
    results = await look_up_batch(client, store_id, [("phone", "12"), ("fax", "1")])
    assert [each["error"]["code"] for each in results] == [520046, 520046]
    assert "email, whatsapp, phone, chat, pushUserID" in results[1]["error"]["message"]


async def test_an_identifier_may_be_repeated_in_any_spelling(client: httpx.AsyncClient, store_id: str) -> None:
    ann = await make_profile(client, store_id, phone="+13175556789")
    spellings = ["+13175556789", "317-555-6789", "+13175556789", "tel:+1 317 555 6789"]
    found = {"normalizedValue": "+13175556789", "profiles": [ann]}
    assert await look_up_batch(client, store_id, [("phone", each) for each in spellings]) == [found] * 4


async def test_the_largest_batch_is_answered(client: httpx.AsyncClient, store_id: str) -> None:
    people = {
        f"c-{number * 100}": await make_profile(client, store_id, chat=f"c-{number * 100}") for number in range(10)
    }
    results = await look_up_batch(client, store_id, [("chat", f"c-{number}") for number in range(1000)])
    assert results == [
        {"normalizedValue": f"c-{number}", "profiles": [people[f"c-{number}"]] if number % 100 == 0 else []}
        for number in range(1000)
    ]


async def test_merged_profiles_are_found_as_the_earliest(client: httpx.AsyncClient, store_id: str) -> None:
    earliest = await make_profile(client, store_id, email="a@example.com")
    await make_profile(client, store_id, phone="+442079460958")
    await make_profile(client, store_id, phone="+442079460958", email="a@example.com")
    results = await look_up_batch(client, store_id, [("email", "a@example.com"), ("phone", "442079460958")])
    assert [each["profiles"] for each in results] == [[earliest]] * 2


async def test_shared_values_find_at_most_100_profiles_earliest_first(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await make_crowd(database, 120)
    pairs = [("chat", "lobby"), ("chat", "hall")]
    results = await look_up_batch(client, store_id, pairs)
    assert len(results[0]["profiles"]) == 100
    assert results == await looked_up_one_by_one(client, store_id, pairs)


async def test_blocked_values_name_nobody(client: httpx.AsyncClient, store_id: str, database: Database) -> None:
    ann = await make_profile(client, store_id, email="ann@example.com", chat="c-1")
    async with database.transaction() as connection:  # as if the operation that removes it had not come to it yet
        await connection.execute(
            text("""
                insert into identifier (store_id, id_type, value, profile_id, shared_by, added_at)
                select store_id, 'email', 'test@test.com', id, '', now() from profile
            """)
        )
    pairs = [("email", "test@test.com"), ("chat", "n/a"), ("chat", "c-1"), ("phone", "unknown")]
    results = await look_up_batch(client, store_id, pairs)
    assert [each.get("profiles") for each in results] == [[], [], [ann], None]
    assert results == await looked_up_one_by_one(client, store_id, pairs)


async def test_fuzzy_types_are_searched_as_by_single_lookups(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    """Each type has its own threshold, exact types stay exact, and an equal value is first among equally similar ones."""
    fuzzy = {"matchingAlgo": "fuzzy"}
    await change_settings(
        client, store_id, chat=fuzzy | {"matchingThreshold": 50}, whatsapp=fuzzy | {"matchingThreshold": 90}
    )
    for name in ("Lovelace Ada", "Ada Lovelace", "Ada Lovelac", "Adda Lovelace", "Zoe Lovelace", "!!!"):
        await make_profile(client, store_id, chat=name)
        await make_profile(client, store_id, whatsapp=name)
        await make_profile(client, store_id, email=f"{name}@example.com")
    pairs = [
        identifier
        for name in ("Ada Lovelace", "Zoe Lovelac", "!!!", "%", "nobody at all")
        for identifier in (("chat", name), ("whatsapp", name), ("email", f"{name}@example.com"))
    ]
    results = await look_up_batch(client, store_id, [*pairs, ("fax", "1"), *pairs])
    one_by_one = await looked_up_one_by_one(client, store_id, [*pairs, ("fax", "1")])
    assert results == [*one_by_one, *one_by_one[:-1]]
    assert len({len(each.get("profiles", "")) for each in results}) > 2
    assert await look_up_batch(client, store_id, [("chat", "x")]) == [{"normalizedValue": "x", "profiles": []}]


async def test_identifiers_of_other_stores_and_accounts_are_not_found(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await make_profile(client, store_id, chat="c-1")
    nobody = [{"normalizedValue": "c-1", "profiles": []}]
    assert await look_up_batch(client, await make_store(client, "other"), [("chat", "c-1")]) == nobody
    async with caller(app, *await make_account(database)) as stranger:
        assert await look_up_batch(stranger, await make_store(stranger), [("chat", "c-1")]) == nobody
        answer = await stranger.post(batch_path(store_id), json=batch_body([("chat", "c-1")]))
        assert (answer.status_code, answer.json()["code"]) == (404, 520041)


async def test_changed_settings_are_seen_at_once(client: httpx.AsyncClient, store_id: str) -> None:
    ann = await make_profile(client, store_id, chat="MiXeD@x")
    pairs = [("chat", "mixed@x"), ("crm", "1")]
    assert [each.get("profiles") for each in await look_up_batch(client, store_id, pairs)] == [[], None]
    await change_settings(client, store_id, chat={"normalization": "email"}, crm={})
    assert [each.get("profiles") for each in await look_up_batch(client, store_id, pairs)] == [[ann], []]


async def test_batches_at_once_are_all_answered(client: httpx.AsyncClient, store_id: str) -> None:
    ann = await make_profile(client, store_id, chat="c-7")
    pairs = [("chat", f"c-{number}") for number in range(100)]
    for results in await asyncio.gather(*[look_up_batch(client, store_id, pairs) for _ in range(8)]):
        assert [each["profiles"] for each in results] == [[ann] if number == 7 else [] for number in range(100)]


async def test_too_many_batches_are_refused_and_single_lookups_are_served(
    app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    limit = services_of({"app": app}).load_limits.lookup_batches
    with ExitStack() as stack:
        with suppress(Overloaded):
            while True:
                stack.enter_context(limit.counted())
        answer = await client.post(batch_path(store_id), json=batch_body([("chat", "c-1")]))
        assert (answer.status_code, answer.json()["code"]) == (503, 20503)
        assert await look_up(client, store_id, "chat", "c-1") == []
    assert await look_up_batch(client, store_id, [("chat", "c-1")]) == [{"normalizedValue": "c-1", "profiles": []}]


async def test_others_are_served_between_the_pieces_of_a_batch() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    serving = asyncio.create_task(others())
    numbers = [sum(range(2000)) async for _ in in_pieces(range(1000))]  # takes some hundredths of a second
    serving.cancel()
    assert len(numbers) == 1000
    assert turns > 10
