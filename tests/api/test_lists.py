"""A list that fits on one page."""

import httpx

from tests.conftest import make_profile


async def test_a_list_that_fits_on_one_page_has_no_tokens(client: httpx.AsyncClient, store_id: str) -> None:
    profile_id = await make_profile(client, store_id, phone="+13175556789")
    answer = await client.get(f"/v1/Stores/{store_id}/Profiles")
    assert answer.status_code == 200
    assert answer.json() == {"profiles": [profile_id], "meta": {"key": "profiles", "pageSize": 1}}
