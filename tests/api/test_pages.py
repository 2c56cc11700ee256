"""Lists, page by page."""

import httpx

from tests.conftest import make_profile


async def test_a_list_that_fits_on_one_page_has_no_tokens(client: httpx.AsyncClient, store_id: str) -> None:
    profile_id = await make_profile(client, store_id, chat="c", city="Indianapolis")
    lists = {
        "stores": "/v1/ControlPlane/Stores",
        "traitGroups": f"/v1/ControlPlane/Stores/{store_id}/TraitGroups",
        "profiles": f"/v1/Stores/{store_id}/Profiles",
        "traits": f"/v1/Stores/{store_id}/Profiles/{profile_id}/Traits",
    }
    for key, path in lists.items():
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text
        assert answer.json()["meta"] == {"key": key, "pageSize": 50}
        assert answer.json()[key]
