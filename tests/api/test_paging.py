"""Paging shows every item once, forwards and backwards, even while other items are added and removed."""

import base64
import zlib
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.web import ids
from tests.conftest import make_profile, make_store
from tests.database.contents import TRAITS

COUNT = 11
ORDERS = ["ASC", "DESC"]


class Listed:
    """A list of `COUNT` items, the oldest first, and the requests for its pages."""

    def __init__(self, client: httpx.AsyncClient, url: str, name: str, oldest_first: list[str]) -> None:
        self.client, self.url, self.name, self.oldest_first = client, url, name, oldest_first

    def in_order(self, order: str) -> list[str]:
        return self.oldest_first if order == "ASC" else self.oldest_first[::-1]

    async def request_page(self, order: str, size: int, token: str | None = None) -> httpx.Response:
        parameters = {"orderBy": order, "pageSize": str(size)} | ({} if token is None else {"pageToken": token})
        return await self.client.get(self.url, params=parameters)

    async def page(self, order: str, size: int, token: str | None = None) -> tuple[list[str], dict[str, Any]]:
        answer = await self.request_page(order, size, token)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body.keys() == {self.name, "meta"}
        assert (body["meta"]["key"], body["meta"]["pageSize"]) == (self.name, len(body[self.name]))
        return [_name(item) for item in body[self.name]], body["meta"]

    async def pages(self, order: str, size: int) -> AsyncIterator[tuple[list[str], dict[str, Any]]]:
        token = None
        while True:
            items, meta = await self.page(order, size, token)
            yield items, meta
            if (token := meta.get("nextToken")) is None:
                return


def _name(item: Any) -> str:
    name: str = item if isinstance(item, str) else item.get("displayName") or item["name"]
    return name


async def _profiles(client: httpx.AsyncClient, store_id: str) -> Listed:
    people = [await make_profile(client, store_id, chat=f"secret-{number}") for number in range(COUNT)]
    return Listed(client, f"/v1/Stores/{store_id}/Profiles", "profiles", people)


async def _traits(client: httpx.AsyncClient, store_id: str) -> Listed:
    """Some traits are written at the same instant; these are listed by name."""
    profile_id = await make_profile(client, store_id, chat="secret-chat", city="secret-city", state="IN")
    url = f"/v1/Stores/{store_id}/Profiles/{profile_id}"
    later = ["street", "country", "lastName", "postalCode", "firstName"]
    for name in later:
        await client.patch(url, json={"traits": {"Contact": {name: f"secret-{name}"}}})
    three = {"phone": "+13175551234", "email": "secret@example.com", "whatsapp": "secret"}
    await client.patch(url, json={"traits": {"Contact": three}})
    return Listed(client, f"{url}/Traits", "traits", ["chat", "city", "state", *later, *sorted(three)])


async def _stores(client: httpx.AsyncClient, store_id: str) -> Listed:
    created = [await make_store(client, f"store-{number}") for number in range(COUNT - 1)]
    return Listed(client, "/v1/ControlPlane/Stores", "stores", [store_id, *created])


async def _groups(client: httpx.AsyncClient, store_id: str) -> Listed:
    url = f"/v1/ControlPlane/Stores/{store_id}/TraitGroups"
    names = [f"group-{9 - number}" for number in range(COUNT - 1)]
    for name in names:
        assert (await client.post(url, json={"displayName": name})).status_code == 202
    return Listed(client, url, "traitGroups", ["Contact", *names])


@pytest.fixture(params=[_profiles, _traits, _stores, _groups], ids=lambda make: make.__name__.strip("_"))
async def listed(request: pytest.FixtureRequest, client: httpx.AsyncClient, store_id: str) -> Listed:
    make: Callable[..., Any] = request.param
    found: Listed = await make(client, store_id)
    assert len(found.oldest_first) == COUNT
    return found


async def test_each_item_is_on_one_page_forwards_and_backwards_in_either_order(listed: Listed) -> None:
    for order in ORDERS:
        for size in (1, 3, COUNT - 1, COUNT, COUNT + 1):
            pages = [page async for page in listed.pages(order, size)]
            items = [items for items, _ in pages]
            assert sum(items, []) == listed.in_order(order)  # noqa: RUF017 -- a few pages
            assert [len(each) for each in items[:-1]] == [size] * (len(items) - 1)
            assert items[-1]
            assert "previousToken" not in pages[0][1]
            assert "nextToken" not in pages[-1][1]
            for (before, _), (_, meta) in pairwise(pages):
                back, meta_of_back = await listed.page(order, size, meta["previousToken"])
                assert back == before
                assert ("previousToken" in meta_of_back) is (before is not items[0])
            # Then page back from the last page to the first.
            backwards, meta = items[-1], pages[-1][1]
            while "previousToken" in meta:
                page, meta = await listed.page(order, size, meta["previousToken"])
                backwards = page + backwards
            assert backwards == listed.in_order(order)


async def test_going_forward_and_back_returns_to_the_same_page(listed: Listed) -> None:
    first, meta = await listed.page("DESC", 3)
    second, meta = await listed.page("DESC", 3, meta["nextToken"])
    back, meta = await listed.page("DESC", 3, meta["previousToken"])
    assert back == first
    assert (await listed.page("DESC", 3, meta["nextToken"]))[0] == second


async def test_a_token_may_be_used_with_another_page_size(listed: Listed) -> None:
    _, meta = await listed.page("ASC", 2)
    assert (await listed.page("ASC", 5, meta["nextToken"]))[0] == listed.in_order("ASC")[2:7]


async def test_the_go_sdk_pages_with_its_own_parameter_names(listed: Listed) -> None:
    seen: list[str] = []
    parameters = {"PageSize": "4"}
    for size in (4, 4, COUNT - 8):
        answer = (await listed.client.get(listed.url, params=parameters)).json()
        assert answer["meta"]["pageSize"] == size
        seen += [_name(item) for item in answer[listed.name]]
        parameters["PageToken"] = answer["meta"].get("nextToken", "")
    assert parameters["PageToken"] == ""
    assert seen == listed.in_order("DESC")


async def test_the_documented_name_of_a_parameter_takes_precedence(listed: Listed) -> None:
    _, meta = await listed.page("DESC", 2)
    parameters = {"pageSize": "3", "PageSize": "50", "pageToken": meta["nextToken"], "PageToken": "x"}
    answer = (await listed.client.get(listed.url, params=parameters)).json()
    assert [_name(item) for item in answer[listed.name]] == listed.in_order("DESC")[2:5]


@pytest.mark.parametrize("parameters", [{"PageSize": "0"}, {"PageSize": "1001"}, {"PageToken": "x"}])
async def test_the_other_names_of_parameters_are_checked_likewise(listed: Listed, parameters: dict[str, str]) -> None:
    answer = await listed.client.get(listed.url, params=parameters)
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)


async def test_a_token_of_the_other_order_is_refused(listed: Listed) -> None:
    _, meta = await listed.page("ASC", 2)
    answer = await listed.request_page("DESC", 2, meta["nextToken"])
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)


async def test_a_modified_token_is_refused(listed: Listed) -> None:
    _, meta = await listed.page("ASC", 2)
    token: str = meta["nextToken"]
    for position in (0, 1, len(token) // 2, token.index("."), token.index(".") + 1, len(token) - 2):
        other = "A" if token[position] != "A" else "B"
        answer = await listed.request_page("ASC", 2, token[:position] + other + token[position + 1 :])
        assert (answer.status_code, answer.json()["code"]) == (400, 520046)
        assert answer.json()["message"].startswith("pageToken: expected")
    for nonsense in ("", ".", "x", "x" * 4096, "\0", "é", token[:-1], token + "x", f" {token}", token.upper()):
        answer = await listed.request_page("ASC", 2, nonsense)
        assert (answer.status_code, answer.json()["code"]) == (400, 520046), nonsense
    assert (await listed.request_page("ASC", 2, "x" * 4097)).status_code == 400


async def test_tokens_contain_no_values(listed: Listed, database: Database) -> None:
    """Not even the decoded and decompressed payload of a token contains a value."""
    async with database.statements() as connection:
        values = list((await connection.execute(text("select value from identifier"))).scalars())
        values += list((await connection.execute(text(f"select value #>> '{{}}' from ({TRAITS})"))).scalars())
    seen = ""
    for order in ORDERS:
        async for _, meta in listed.pages(order, 1):
            for name in ("nextToken", "previousToken"):
                if token := meta.get(name):
                    payload = token.rsplit(".", 2)[0]
                    raw = base64.urlsafe_b64decode(payload.lstrip(".") + "=" * (-len(payload.lstrip(".")) % 4))
                    seen += (zlib.decompress(raw) if payload.startswith(".") else raw).decode()
    assert len(seen) > 500
    assert not [value for value in values if len(value) > 2 and value in seen]


async def test_a_token_is_valid_only_for_its_own_list(client: httpx.AsyncClient, store_id: str) -> None:
    """A token is refused for another store or profile, for another list, and for a filtered list."""
    other_store = await make_store(client, "other")
    lists = [await make(client, store_id) for make in (_profiles, _traits, _groups)]
    profile_id = await make_profile(client, store_id, email="x@example.com", city="Rome", state="IN")
    urls = [
        *[(each.url, {}) for each in lists],
        (f"/v1/Stores/{store_id}/Profiles/{profile_id}/Traits", {}),
        (lists[1].url, {"traitGroups": "Contact"}),
        (f"/v1/ControlPlane/Stores/{other_store}/TraitGroups", {}),
        (f"/v1/Stores/{other_store}/Profiles", {}),
        ("/v1/ControlPlane/Stores", {}),
    ]
    for person in range(3):
        await make_profile(client, other_store, chat=f"c-{person}")
    await client.post(f"/v1/ControlPlane/Stores/{other_store}/TraitGroups", json={"displayName": "x"})
    tokens = []
    for url, parameters in urls:
        answer = await client.get(url, params={"pageSize": "1", **parameters})
        tokens.append(answer.json()["meta"]["nextToken"])
    for position, (url, parameters) in enumerate(urls):
        statuses = [
            (await client.get(url, params={"pageSize": "1", "pageToken": token, **parameters})).status_code
            for token in tokens
        ]
        assert statuses == [200 if each == position else 400 for each in range(len(tokens))], url


async def test_a_token_is_valid_for_both_forms_of_the_store_id(client: httpx.AsyncClient, store_id: str) -> None:
    listed = await _profiles(client, store_id)
    _, meta = await listed.page("ASC", 3)
    listed.url = listed.url.replace("mem_store_", "mem_service_")
    assert (await listed.page("ASC", 3, meta["nextToken"]))[0] == listed.oldest_first[3:6]


@pytest.mark.parametrize("order", ORDERS)
async def test_profiles_that_stay_are_listed_once_while_others_are_added_and_deleted(
    client: httpx.AsyncClient, store_id: str, database: Database, order: str
) -> None:
    listed = await _profiles(client, store_id)
    stays, goes = listed.oldest_first[::2], listed.oldest_first[1::2]
    # With each page, its last item and one of another page are deleted, and a new profile is added.
    seen: list[str] = []
    number = 0
    async for items, _ in listed.pages(order, 2):
        seen += items
        number += 1
        await make_profile(client, store_id, chat=f"newcomer-{number}")
        for gone in {*goes[-1:], *[each for each in goes if each in items[-1:]]}:
            assert (await client.delete(f"{listed.url}/{gone}")).status_code == 202
            goes.remove(gone)
    assert len(seen) == len(set(seen))
    assert [each for each in seen if each in stays] == (stays if order == "ASC" else stays[::-1])


@pytest.mark.parametrize("order", ORDERS)
async def test_a_page_without_remaining_items_still_links_to_its_neighbours(
    client: httpx.AsyncClient, store_id: str, order: str
) -> None:
    listed = await _profiles(client, store_id)
    people = listed.in_order(order)
    _, first = await listed.page(order, 4)
    _, second = await listed.page(order, 4, first["nextToken"])
    for gone in people[:4] + people[8:]:
        await client.delete(f"{listed.url}/{gone}")
    nothing, meta = await listed.page(order, 4, second["nextToken"])
    assert (nothing, set(meta)) == ([], {"key", "pageSize", "previousToken"})
    assert (await listed.page(order, 4, meta["previousToken"]))[0] == people[4:8]
    nothing, meta = await listed.page(order, 4, second["previousToken"])
    assert (nothing, set(meta)) == ([], {"key", "pageSize", "nextToken"})
    assert (await listed.page(order, 4, meta["nextToken"]))[0] == people[4:8]


async def test_a_large_store_is_listed_completely_in_pages(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    async with database.transaction() as connection:
        fill = """
            insert into profile (store_id, id, created_at)
            select :store_id, gen_random_uuid(), now() from generate_series(1, 2500)
        """
        await connection.execute(text(fill), {"store_id": ids.decoded(store_id)})
    listed = Listed(client, f"/v1/Stores/{store_id}/Profiles", "profiles", [])
    seen = [item async for items, _ in listed.pages("ASC", 1000) for item in items]
    assert seen == sorted(set(seen))
    assert len(seen) == 2500
    assert (await listed.request_page("ASC", 1001)).status_code == 400
