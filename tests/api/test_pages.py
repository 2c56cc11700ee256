"""The lists of all resources in pages."""

import httpx

from tests.conftest import make_profile


async def test_a_list_that_fits_on_one_page_has_no_tokens(client: httpx.AsyncClient, store_id: str) -> None:
    profile_id = await make_profile(client, store_id, chat="c", city="Indianapolis")
    lists = {
        "stores": "/v1/ControlPlane/Stores",
        "traitGroups": f"/v1/ControlPlane/Stores/{store_id}/TraitGroups",
        "profiles": f"/v1/Stores/{store_id}/Profiles",
        "traits": f"/v1/Stores/{store_id}/Profiles/{profile_id}/Traits",
        "identifiers": f"/v1/Stores/{store_id}/Profiles/{profile_id}/Identifiers",
    }
    for key, path in lists.items():
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text
        assert answer.json()["meta"] == {"key": key, "pageSize": len(answer.json()[key])}
        assert answer.json()[key]


async def test_a_token_continues_in_its_own_order_and_another_order_is_refused(
    client: httpx.AsyncClient, store_id: str
) -> None:
    created = [await make_profile(client, store_id, chat=f"c-{number}") for number in range(3)]
    path = f"/v1/Stores/{store_id}/Profiles"
    for order, expected in (("ASC", created), ("DESC", created[::-1])):
        first = (await client.get(path, params={"pageSize": 1, "orderBy": order})).json()
        token = first["meta"]["nextToken"]
        rest = (await client.get(path, params={"pageToken": token})).json()
        assert first["profiles"] + rest["profiles"] == expected
        other = {"ASC": "DESC", "DESC": "ASC"}[order]
        refused = await client.get(path, params={"pageToken": token, "orderBy": other})
        assert (refused.status_code, refused.json()["code"]) == (400, 520046)


async def test_a_page_of_traits_has_at_most_100(client: httpx.AsyncClient, store_id: str) -> None:
    names = [f"trait-{number:02}" for number in range(95)]
    for group in ("One", "Two"):
        definitions = {name: {"dataType": "STRING"} for name in names}
        url = f"/v1/ControlPlane/Stores/{store_id}/TraitGroups"
        assert (await client.post(url, json={"displayName": group, "traits": definitions})).status_code == 202
    values = dict.fromkeys(names, "x")
    traits = {"Contact": {"chat": "c-1"}, "One": values, "Two": values}
    created = await client.post(f"/v1/Stores/{store_id}/Profiles", json={"traits": traits})
    url = f"/v1/Stores/{store_id}/Profiles/{created.json()['id']}/Traits"
    first = (await client.get(url, params={"pageSize": 1000})).json()
    assert (len(first["traits"]), first["meta"]["pageSize"]) == (100, 100)
    second = (await client.get(url, params={"pageSize": 1000, "pageToken": first["meta"]["nextToken"]})).json()
    assert (len(second["traits"]), second["meta"]["pageSize"]) == (91, 91)
    assert "nextToken" not in second["meta"]
    assert "source" not in first["traits"][0]
