"""`DELETE /v1/Stores/{storeId}/Profiles/{profileId}/Identifiers/{idType}?value=` removes exactly this value."""

import httpx
import pytest

from profile_lookup.database.pool import Database
from tests.conftest import look_up, make_profile
from tests.database.contents import contents


@pytest.fixture
async def url(client: httpx.AsyncClient, store_id: str) -> str:
    """The URL of the identifiers of a profile that has the chat `c-1`."""
    return f"/v1/Stores/{store_id}/Profiles/{await make_profile(client, store_id, chat='c-1')}/Identifiers"


def _profile_id(url: str) -> str:
    return url.split("/")[-2]


def _refusal(answer: httpx.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["code"]


async def _add(client: httpx.AsyncClient, url: str, id_type: str, value: str) -> None:
    assert (await client.post(url, json={"idType": id_type, "value": value})).status_code == 202


async def _values(client: httpx.AsyncClient, url: str) -> list[str]:
    values: list[str] = (await client.get(f"{url}/chat")).json()["values"]
    return values


async def _identifiers(database: Database) -> list[str]:
    return sorted((await contents(database))["identifier"])


async def test_a_named_value_is_removed_and_no_other(client: httpx.AsyncClient, url: str) -> None:
    for value in ("c-2", "c-3"):
        await _add(client, url, "chat", value)
    answer = await client.delete(f"{url}/chat", params={"value": " c-2 "})
    assert (answer.status_code, answer.json()) == (202, {"message": "Identifier removal accepted."})
    assert await _values(client, url) == ["c-1", "c-3"]


@pytest.mark.parametrize("id_type", ["chat", "email", "fax"])
async def test_a_value_that_the_profile_does_not_have_is_not_removed(
    client: httpx.AsyncClient, url: str, store_id: str, database: Database, id_type: str
) -> None:
    await make_profile(client, store_id, chat="c-2")
    before = await _identifiers(database)
    answer = await client.delete(
        f"{url}/{id_type}", params={"value": "c-2@example.com" if id_type == "email" else "c-2"}
    )
    assert _refusal(answer) == (404, 520017)
    assert await _identifiers(database) == before


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("idValue=c-2", "query: expected only removeAll, value"),
        ("value=c-2&Value=c-3", "query: expected only removeAll, value"),
        ("value=c-2&removeAll=true", "query: expected either value or removeAll"),
        ("value=", "value: "),
        ("value=c-2%00", "value: "),
    ],
)
async def test_a_removal_that_may_not_mean_this_value_is_refused(
    client: httpx.AsyncClient, url: str, query: str, expected: str
) -> None:
    await _add(client, url, "chat", "c-2")
    answer = await client.delete(f"{url}/chat?{query}")
    assert _refusal(answer) == (400, 520046)
    assert expected in answer.json()["message"]
    assert "c-2" not in answer.text
    assert await _values(client, url) == ["c-1", "c-2"]


async def test_unknown_query_parameters_are_ignored_where_the_contract_ignores_them(
    client: httpx.AsyncClient, url: str
) -> None:
    assert (await client.get(f"{url}/chat?idValue=c-2")).status_code == 200


async def test_callers_without_access_learn_nothing_about_query_parameters(client: httpx.AsyncClient, url: str) -> None:
    answer = await client.delete(f"{url}/chat?idValue=c-1", auth=("AC" + "0" * 32, "wrong"))
    assert _refusal(answer) == (401, 20003)


async def test_a_value_is_named_also_in_the_address_that_a_merged_profile_redirects_to(
    client: httpx.AsyncClient, url: str, store_id: str
) -> None:
    merged = await make_profile(client, store_id, email="a@example.com")
    await _add(client, url, "email", "a@example.com")
    answer = await client.delete(f"{url.replace(_profile_id(url), merged)}/email", params={"value": "a@example.com"})
    assert answer.status_code == 308
    assert (await client.delete(answer.headers["Location"])).status_code == 202
    assert await look_up(client, store_id, "email", "a@example.com") == []
