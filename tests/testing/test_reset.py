"""A reset brings everything back to what it was when the server had started."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import change_settings, finished, look_up, make_account, make_profile, make_store
from tests.testing.conftest import FIRST_ID, STORE_ID, OpenDouble

SEED = f"""
stores:
  - id: {STORE_ID}
    displayName: customers
    profiles:
      - {{id: {FIRST_ID}, traits: {{Contact: {{email: ann@example.com}}}}}}
      - traits: {{Contact: {{email: bob@example.com}}}}
"""
STORE_PATH = f"/v1/ControlPlane/Stores/{STORE_ID}"


@pytest.fixture
def seed_file(tmp_path: Path) -> Path:
    (tmp_path / "seed.yaml").write_text(SEED)
    return tmp_path / "seed.yaml"


async def test_a_reset_restores_what_was_seeded_at_the_start(open_double: OpenDouble, seed_file: Path) -> None:
    async with open_double(seed_file=seed_file) as client:
        before = await _contents(client)
        added = await make_store(client, "added")
        await make_profile(client, STORE_ID, phone="+13175556789")
        await make_profile(client, STORE_ID, email="ann@example.com", phone="+13175556789")
        await client.delete(f"/v1/Stores/{STORE_ID}/Profiles/{FIRST_ID}")
        await client.patch(STORE_PATH, json={"displayName": "renamed"})
        await client.post("/testing/faults", json={"status": 503, "path": "/nowhere"})

        assert (await client.post("/testing/reset")).status_code == 204

        assert await _contents(client) == before
        assert await look_up(client, STORE_ID, "email", "ann@example.com") == [FIRST_ID]
        assert await look_up(client, STORE_ID, "phone", "+13175556789") == []
        assert (await client.get(f"/v1/ControlPlane/Stores/{added}")).status_code == 404
        assert (await client.get("/testing/faults")).json() == {"faults": []}
        assert "renamed" not in (await client.get("/testing/requests")).text


async def test_a_reset_restores_a_store_that_was_deleted(open_double: OpenDouble, seed_file: Path) -> None:
    async with open_double(seed_file=seed_file) as client:
        await finished(client, await client.delete(STORE_PATH))
        await client.post("/testing/reset")
        assert await look_up(client, STORE_ID, "email", "ann@example.com") == [FIRST_ID]


async def test_rules_that_were_cached_are_not_used_after_a_reset(client: httpx.AsyncClient) -> None:
    """Each change gives the store the same number of revisions, so numbers that began again would be taken for known."""
    for number in range(3):
        added: dict[str, Any] = {f"type-{number}": {"normalization": "trim"}}
        await change_settings(client, STORE_ID, **added)
        assert await look_up(client, STORE_ID, f"type-{number}", "value") == []
        await client.post("/testing/reset")
        refused = await client.post(
            f"/v1/Stores/{STORE_ID}/Profiles/Lookup", json={"idType": f"type-{number}", "value": "value"}
        )
        assert refused.status_code == 400


async def test_an_operation_under_way_writes_nothing_after_a_reset(client: httpx.AsyncClient) -> None:
    for _ in range(5):
        bulk = await client.put(
            f"/v1/Stores/{STORE_ID}/Profiles/Bulk",
            json={"profiles": [{"traits": {"Contact": {"chat": f"chat-{number}"}}} for number in range(1000)]},
        )
        assert bulk.status_code == 202, bulk.text
        await asyncio.sleep(0.1)  # let the worker begin; wherever it is then, nothing may be left
        await client.post("/testing/reset")
        assert (await client.get(bulk.headers["Location"])).status_code == 404
        await make_profile(client, STORE_ID, phone="+13175556789")
        await finished(client, await _bulk_of_one(client))  # the worker has gone on
        assert len(await _profiles(client)) == 2
        await client.post("/testing/reset")


async def test_requests_at_once_do_not_keep_a_reset_from_its_work(client: httpx.AsyncClient) -> None:
    has_to_end = False

    async def create(number: int) -> None:
        while not has_to_end:
            answer = await client.post(
                f"/v1/Stores/{STORE_ID}/Profiles",
                json={"traits": {"Contact": {"phone": "+13175556789", "chat": f"chat-{number}"}}},
            )
            assert answer.status_code in (202, 503), answer.text

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(create(number))
        for _ in range(10):
            assert (await client.post("/testing/reset")).status_code == 204
        has_to_end = True
    await client.post("/testing/reset")
    assert await _profiles(client) == []


async def test_credentials_that_were_made_after_the_start_are_gone(client: httpx.AsyncClient, database: Any) -> None:
    stranger = await make_account(database)
    assert (await client.get("/v1/ControlPlane/Stores", auth=stranger)).status_code == 200
    await client.post("/testing/reset")
    assert (await client.get("/v1/ControlPlane/Stores", auth=stranger)).status_code == 401


async def test_page_tokens_and_upload_addresses_stay_signed_by_the_same_key(client: httpx.AsyncClient) -> None:
    await make_profile(client, STORE_ID, phone="+13175556781")
    await make_profile(client, STORE_ID, phone="+13175556782")
    page = (await client.get(f"/v1/Stores/{STORE_ID}/Profiles", params={"pageSize": 1})).json()
    await client.post("/testing/reset")
    following = await client.get(f"/v1/Stores/{STORE_ID}/Profiles", params={"pageToken": page["meta"]["nextToken"]})
    assert following.status_code == 200


async def _bulk_of_one(client: httpx.AsyncClient) -> httpx.Response:
    body = {"profiles": [{"traits": {"Contact": {"chat": "last"}}}]}
    return await client.put(f"/v1/Stores/{STORE_ID}/Profiles/Bulk", json=body)


async def _profiles(client: httpx.AsyncClient) -> list[str]:
    profiles: list[str] = (await client.get(f"/v1/Stores/{STORE_ID}/Profiles")).json()["profiles"]
    return profiles


async def _contents(client: httpx.AsyncClient) -> list[Any]:
    """Return what the store holds, without `dataAsOf`, which shows the present time."""
    paths = ["/v1/ControlPlane/Stores", STORE_PATH, f"/v1/Stores/{STORE_ID}/Profiles"]
    paths += [f"/v1/Stores/{STORE_ID}/Profiles/{profile_id}" for profile_id in await _profiles(client)]
    answers = [(await client.get(path)).json() for path in paths]
    return [{name: value for name, value in answer.items() if name != "dataAsOf"} for answer in answers]
