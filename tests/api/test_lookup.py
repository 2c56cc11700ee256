"""POST /v1/Stores/{storeId}/Profiles/Lookup"""

import httpx
import pytest

from tests.conftest import look_up, make_profile


async def test_a_value_is_normalized_before_it_is_searched(client: httpx.AsyncClient, store_id: str) -> None:
    profile_id = await make_profile(client, store_id, phone="+13175556789")
    answer = await client.post(
        f"/v1/Stores/{store_id}/Profiles/Lookup", json={"idType": "phone", "value": "1-317-555-6789"}
    )
    assert answer.status_code == 200
    assert answer.json() == {"normalizedValue": "+13175556789", "profiles": [profile_id]}
