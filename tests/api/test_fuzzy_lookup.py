"""POST …/Profiles/Lookup for a type whose `matchingAlgo` is fuzzy."""

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.web import ids
from tests.conftest import change_settings, look_up, make_profile, make_store

NAMES = ["Ada Lovelace", "Ada Lovelac", "Adda Lovelace", "Zoe Lovelace", "Grace Hopper", "!!!"]


@pytest.fixture
async def fuzzy_id(client: httpx.AsyncClient, store_id: str) -> str:
    """The ID of a store whose chats are searched by similarity."""
    await change_settings(client, store_id, chat={"matchingAlgo": "fuzzy"})
    return store_id


async def _similarity(database: Database, one: str, other: str) -> float:
    async with database.statements() as connection:
        query = text("select round(similarity(:one, :other)::numeric * 100, 3)::float")
        found: float = (await connection.execute(query, {"one": one, "other": other})).scalar_one()
    return found


async def _names_found(client: httpx.AsyncClient, store_id: str, value: str, people: dict[str, str]) -> list[str]:
    """Look up a chat, and return the names of the profiles that are found."""
    found = await look_up(client, store_id, "chat", value)
    return [{profile_id: name for name, profile_id in people.items()}[each] for each in found]


async def _people(client: httpx.AsyncClient, store_id: str) -> dict[str, str]:
    return {name: await make_profile(client, store_id, chat=name) for name in NAMES}


async def test_profiles_with_similar_values_are_found_the_most_similar_first(
    client: httpx.AsyncClient, fuzzy_id: str, database: Database
) -> None:
    people = await _people(client, fuzzy_id)
    found = await _names_found(client, fuzzy_id, "Ada Lovelace", people)
    similarity = {name: await _similarity(database, name, "Ada Lovelace") for name in NAMES}
    expected = [name for name in NAMES if similarity[name] >= 75]
    assert found == sorted(expected, key=lambda name: -similarity[name])
    assert len(found) > 1
    assert found[0] == "Ada Lovelace"


async def test_the_answer_contains_the_normalized_value(client: httpx.AsyncClient, fuzzy_id: str) -> None:
    body = {"idType": "chat", "value": " Ada "}
    answer = await client.post(f"/v1/Stores/{fuzzy_id}/Profiles/Lookup", json=body)
    assert answer.json() == {"normalizedValue": "Ada", "profiles": []}


@pytest.mark.parametrize("name", ["Ada Lovelac", "Adda Lovelace", "Zoe Lovelace"])
async def test_a_profile_is_found_up_to_a_threshold_equal_to_its_similarity(
    client: httpx.AsyncClient, fuzzy_id: str, database: Database, name: str
) -> None:
    profile_id = await make_profile(client, fuzzy_id, chat=name)
    similarity = await _similarity(database, name, "Ada Lovelace")
    assert 50 <= similarity < 99
    for threshold in {50, int(similarity) - 1, int(similarity), int(similarity) + 1, 99} & set(range(50, 100)):
        await change_settings(client, fuzzy_id, chat={"matchingThreshold": threshold})
        found = await look_up(client, fuzzy_id, "chat", "Ada Lovelace")
        assert found == ([profile_id] if similarity >= threshold else []), threshold


@pytest.mark.parametrize(
    ("one", "other", "percent"),
    [
        ("abcde", "abcdx", 50),
        ("abcdefg", "abcdefx", 60),
        ("abcdefg", "abcdefgh", 70),
        ("abcdefghijklm", "abcdefghijklx", 75),
        ("abcdefghijklmnopq", "abcdefghijklmnopx", 80),
    ],
)
async def test_a_similarity_equal_to_the_threshold_is_enough(
    client: httpx.AsyncClient, fuzzy_id: str, database: Database, one: str, other: str, percent: int
) -> None:
    """PostgreSQL computes the similarity as a 32-bit float, whose 0.7 is less than the 0.7 of the threshold."""
    profile_id = await make_profile(client, fuzzy_id, chat=one)
    assert await _similarity(database, one, other) == percent
    for threshold, found in ((percent, [profile_id]), (percent + 1, [])):
        await change_settings(client, fuzzy_id, chat={"matchingThreshold": threshold})
        assert await look_up(client, fuzzy_id, "chat", other) == found


async def test_among_equally_similar_ones_the_earliest_is_first(client: httpx.AsyncClient, fuzzy_id: str) -> None:
    people = [await make_profile(client, fuzzy_id, chat=f"Ada Lovelace {letter}") for letter in "zmb"]
    assert await look_up(client, fuzzy_id, "chat", "Ada Lovelace") == people


@pytest.mark.parametrize(
    ("id_type", "earlier", "value"),
    [
        ("chat", "Lovelace Ada", "Ada Lovelace"),
        ("chat", "Ada Ada", "Ada"),
        ("chat", "Ada (C)", "Ada C++"),
        ("email", "ada@work.example", "work@ada.example"),
    ],
)
async def test_an_equal_value_is_first_also_if_an_earlier_one_has_the_same_trigrams(
    client: httpx.AsyncClient, fuzzy_id: str, database: Database, id_type: str, earlier: str, value: str
) -> None:
    await change_settings(client, fuzzy_id, email={"matchingAlgo": "fuzzy"})
    other_id = await make_profile(client, fuzzy_id, **{id_type: earlier})
    profile_id = await make_profile(client, fuzzy_id, **{id_type: value})
    assert await _similarity(database, earlier, value) == 100
    assert await look_up(client, fuzzy_id, id_type, value) == [profile_id, other_id]
    assert await look_up(client, fuzzy_id, id_type, earlier) == [other_id, profile_id]


async def test_a_profile_is_returned_once_and_ranked_by_its_best_value(
    client: httpx.AsyncClient, fuzzy_id: str
) -> None:
    other = await make_profile(client, fuzzy_id, chat="Adda Lovelace")
    for chat in ("Ada Lovelac", "Ada Lovelacee", "Ada Lovelace"):
        profile_id = await make_profile(client, fuzzy_id, email="a@example.com", chat=chat)
    assert await look_up(client, fuzzy_id, "chat", "Ada Lovelace") == [profile_id, other]


async def test_a_value_without_letters_is_found_by_the_same_value(client: httpx.AsyncClient, fuzzy_id: str) -> None:
    people = await _people(client, fuzzy_id)
    assert await _names_found(client, fuzzy_id, "!!!", people) == ["!!!"]
    assert await _names_found(client, fuzzy_id, "???", people) == []


@pytest.mark.parametrize("value", ["%", "_", "\\", "' or 1=1 --", "日本語", "x" * 255, "a\tb", "{}"])
async def test_any_value_can_be_searched(client: httpx.AsyncClient, fuzzy_id: str, value: str) -> None:
    profile_id = await make_profile(client, fuzzy_id, chat=value)
    assert await look_up(client, fuzzy_id, "chat", value) == [profile_id]


async def test_at_most_100_profiles_are_returned(client: httpx.AsyncClient, fuzzy_id: str, database: Database) -> None:
    seed = await make_profile(client, fuzzy_id, chat="Ada Lovelace")
    async with database.transaction() as connection:
        fill = """
            with made as (
                insert into profile (store_id, id, created_at)
                select :store_id, gen_random_uuid(), now() from generate_series(1, 150) returning id
            )
            insert into identifier (store_id, id_type, value, profile_id, shared_by, fuzzy_key, added_at)
            select :store_id, 'chat', 'Ada Lovelace ' || row_number() over (), made.id, '',
                (select fuzzy_key from identifier limit 1), now()
            from made
        """
        await connection.execute(text(fill), {"store_id": ids.decoded(fuzzy_id)})
    found = await look_up(client, fuzzy_id, "chat", "Ada Lovelace")
    assert len(found) == len(set(found)) == 100
    assert found[0] == seed


async def test_other_types_and_stores_are_matched_exactly(client: httpx.AsyncClient, fuzzy_id: str) -> None:
    await make_profile(client, fuzzy_id, whatsapp="Ada Lovelace")
    assert await look_up(client, fuzzy_id, "whatsapp", "Ada Lovelac") == []
    assert await look_up(client, fuzzy_id, "chat", "Ada Lovelace") == []
    other = await make_store(client, "other")
    await make_profile(client, other, chat="Ada Lovelace")
    assert await look_up(client, other, "chat", "Ada Lovelac") == []
    assert await look_up(client, fuzzy_id, "chat", "Ada Lovelace") == []


async def test_a_fuzzy_lookup_finds_nothing_in_other_stores(client: httpx.AsyncClient, fuzzy_id: str) -> None:
    other = await make_store(client, "other")
    await change_settings(client, other, chat={"matchingAlgo": "fuzzy"})
    people = [await make_profile(client, each, chat="Ada Lovelace") for each in (fuzzy_id, other)]
    assert [await look_up(client, each, "chat", "Ada Lovelac") for each in (fuzzy_id, other)] == [
        [people[0]], [people[1]],
    ]  # fmt: skip


async def test_stored_values_follow_a_change_of_the_matching_algorithm(
    client: httpx.AsyncClient, store_id: str
) -> None:
    profile_id = await make_profile(client, store_id, chat="Ada Lovelace")
    for algorithm, found in (("exact", []), ("fuzzy", [profile_id]), ("exact", [])):
        await change_settings(client, store_id, chat={"matchingAlgo": algorithm})
        assert await look_up(client, store_id, "chat", "Ada Lovelac") == found
        assert await look_up(client, store_id, "chat", "Ada Lovelace") == [profile_id]


async def test_a_similar_value_does_not_match_when_it_is_written(client: httpx.AsyncClient, fuzzy_id: str) -> None:
    people = [await make_profile(client, fuzzy_id, chat=name) for name in ("Ada Lovelace", "Ada Lovelac")]
    assert people[0] != people[1]
