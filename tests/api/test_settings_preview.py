"""`POST …/IdentityResolutionSettings/Preview` says what the PUT would do, and changes nothing."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.jobs.job_handlers import HANDLERS
from profile_lookup.operations.job_worker import run_until_idle
from profile_lookup.operations.previews import MAX_COMPARED
from profile_lookup.settings import Settings
from profile_lookup.web import ids
from tests.conftest import change_settings, finished, make_profile
from tests.database.contents import contents

Json = dict[str, Any]


@pytest.fixture
def url(store_id: str) -> str:
    return f"/v1/ControlPlane/Stores/{store_id}/IdentityResolutionSettings"


async def _body(client: httpx.AsyncClient, url: str, **chat: object) -> Json:
    """Return the store's settings with changes to `chat`."""
    settings: Json = (await client.get(url)).json()
    configs = [each | chat if each["idType"] == "chat" else each for each in settings["identifierConfigs"]]
    return settings | {"identifierConfigs": configs}


async def _preview(client: httpx.AsyncClient, url: str, body: Json) -> str:
    """Preview settings, and return the address of the results."""
    operation = await finished(client, await client.post(f"{url}/Preview", json=body))
    assert operation["status"] == "COMPLETED"
    results_url: str = operation["resultUrl"]
    return results_url


async def _results(client: httpx.AsyncClient, results_url: str) -> list[Json]:
    results: list[Json] = (await client.get(results_url)).json()["results"]
    return results


async def test_merges_and_removed_and_refused_values_are_named(
    client: httpx.AsyncClient, store_id: str, url: str, database: Database
) -> None:
    ann, other_ann, nobody, phone = [
        await make_profile(client, store_id, chat=chat) for chat in ("Ann@x.org", "ann@x.org", "Test@test.com", "+1")
    ]
    before = (await contents(database))["identifier"]
    results = await _results(client, await _preview(client, url, await _body(client, url, normalization="email")))
    assert results == [
        {
            "outcome": "removed",
            "profiles": [nobody],
            "by": {"idType": "chat", "value": "test@test.com"},
            "reason": results[0]["reason"],
        },
        {
            "outcome": "refused",
            "profiles": [phone],
            "by": {"idType": "chat", "value": "+1"},
            "reason": results[1]["reason"],
        },
        {
            "outcome": "merge",
            "profiles": [ann, other_ann],
            "by": {"idType": "chat", "value": "ann@x.org"},
        },
    ]
    assert results[0]["reason"].startswith("blockedValues: ")
    assert results[1]["reason"].startswith("normalization: ")
    assert (await contents(database))["identifier"] == before


async def test_a_value_that_a_merge_evicts_is_named_with_its_profile(
    client: httpx.AsyncClient, store_id: str, url: str
) -> None:
    first = await make_profile(client, store_id, chat="Ann@x.org", email="1@example.com")
    second = await make_profile(client, store_id, chat="ann@x.org", email="2@example.com")
    body = await _body(client, url, normalization="email")
    body["identifierConfigs"][0]["limit"] = 1
    merge, removed = await _results(client, await _preview(client, url, body))
    assert (merge["outcome"], merge["profiles"]) == ("merge", [first, second])
    assert (removed["outcome"], removed["profiles"]) == ("removed", [first])
    assert removed["by"] == {"idType": "email", "value": "1@example.com"}
    assert removed["reason"] == "limit: a profile keeps at most 1 of email"


async def test_blocked_values_are_tried_before_the_settings(client: httpx.AsyncClient, store_id: str, url: str) -> None:
    people = [await make_profile(client, store_id, chat=chat) for chat in ("Office@x.org", "office@x.org")]
    body = await _body(client, url, normalization="email")
    body["blockedValues"] = {"builtIn": True, "values": [{"idType": "chat", "value": "office@x.org"}]}
    results = await _results(client, await _preview(client, url, body))
    assert [(each["outcome"], each["profiles"]) for each in results] == [("removed", [each]) for each in people]


async def test_values_that_may_not_be_shared_any_more_are_refused(
    client: httpx.AsyncClient, store_id: str, url: str
) -> None:
    await change_settings(client, store_id, chat={"enforceUnique": False})
    people = [await make_profile(client, store_id, email=f"{number}@example.com") for number in range(2)]
    for profile_id in people:
        shared = {"idType": "chat", "value": "c-1"}
        await client.post(f"/v1/Stores/{store_id}/Profiles/{profile_id}/Identifiers", json=shared)
    (refused,) = await _results(client, await _preview(client, url, await _body(client, url, enforceUnique=True)))
    assert (refused["outcome"], refused["profiles"]) == ("refused", people)
    assert refused["by"] == {"idType": "chat", "value": "c-1"}


async def test_a_preview_keeps_no_value_that_is_removed_later(
    client: httpx.AsyncClient, store_id: str, url: str, database: Database
) -> None:
    people = [await make_profile(client, store_id, chat=chat) for chat in ("Ann@x.org", "ann@x.org")]
    body = await _body(client, url, normalization="email")
    body["blockedValues"] = {"builtIn": True, "values": [{"idType": "chat", "value": "Secret@x.org"}]}
    results_url = await _preview(client, url, body)
    for profile_id in people:
        await client.patch(f"/v1/Stores/{store_id}/Profiles/{profile_id}", json={"traits": {"Contact": {"chat": None}}})
        await client.delete(f"/v1/Stores/{store_id}/Profiles/{profile_id}/Identifiers/chat")
    (merge,) = await _results(client, results_url)
    assert merge["profiles"] == people
    assert merge["by"] == {"idType": "chat"}
    found = await contents(database)
    assert not [table for table, rows in found.items() if "nn@x.org" in str(rows).lower() or "Secret" in str(rows)]


async def test_a_value_is_also_found_after_its_profiles_have_merged(
    client: httpx.AsyncClient, store_id: str, url: str
) -> None:
    for chat in ("Ann@x.org", "ann@x.org"):
        await make_profile(client, store_id, chat=chat)
    body = await _body(client, url, normalization="email")
    results_url = await _preview(client, url, body)
    await finished(client, await client.put(url, json=body))
    (merge,) = await _results(client, results_url)
    assert merge["by"] == {"idType": "chat", "value": "ann@x.org"}


async def test_the_results_are_paged(client: httpx.AsyncClient, store_id: str, url: str) -> None:
    people = [await make_profile(client, store_id, chat=f"no address {number}") for number in range(5)]
    results_url = await _preview(client, url, await _body(client, url, normalization="email"))
    named: list[str] = []
    token: str | None = None
    while token is not None or not named:
        page = (await client.get(results_url, params={"pageSize": 2} | ({"pageToken": token} if token else {}))).json()
        named += [profile for each in page["results"] for profile in each["profiles"]]
        token = page["meta"].get("nextToken")
    assert named == people


async def test_a_page_whose_values_take_long_to_find_is_shorter_and_names_all_of_them(
    client: httpx.AsyncClient, store_id: str, url: str, database: Database
) -> None:
    profiles = MAX_COMPARED // 100**2 + 1
    for number in range(profiles):
        await make_profile(client, store_id, chat=f"first-{number}")
    async with database.statements() as connection:
        await connection.execute(_FILL_UP)
    blocked = {"builtIn": False, "patterns": [{"idType": "chat", "pattern": "^more-"}]}
    body = await _body(client, url) | {"blockedValues": blocked}
    results_url = await _preview(client, url, body)
    sizes: list[int] = []
    values: list[str] = []
    token: str | None = None
    while token is not None or not sizes:
        query = {"pageSize": 1000} | ({"pageToken": token} if token else {})
        page = (await client.get(results_url, params=query)).json()
        sizes.append(len(page["results"]))
        values += [each["by"]["value"] for each in page["results"]]
        token = page["meta"].get("nextToken")
    assert sizes == [MAX_COMPARED // 100, profiles * 99 - MAX_COMPARED // 100]
    assert len(set(values)) == profiles * 99


# A profile may have 100 values of a type.
_FILL_UP = text("""
    insert into identifier (store_id, id_type, value, profile_id, shared_by, added_at)
    select i.store_id, i.id_type, 'more-' || i.value || '-' || number, i.profile_id, '', i.added_at
    from identifier i
    cross join generate_series(1, 99) as number
""")


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"identifierConfigs": []}, (400, 520024)),
        ({"blockedValues": {}}, (400, 520024)),
        ({"blockedValues": {"builtIn": True, "values": [{"idType": "fax", "value": "x"}]}}, (400, 520046)),
    ],
)
async def test_a_preview_that_breaks_the_contract_is_refused(
    client: httpx.AsyncClient, url: str, change: Json, refusal: tuple[int, int]
) -> None:
    answer = await client.post(f"{url}/Preview", json=await _body(client, url) | change)
    assert (answer.status_code, answer.json()["code"]) == refusal


class TestWithoutWorker:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        """The application runs no worker; the test does the work."""
        return settings.model_copy(update={"run_operations": False})

    async def test_a_preview_begins_anew_if_the_rules_have_changed_since(
        self, client: httpx.AsyncClient, store_id: str, url: str, database: Database
    ) -> None:
        people = [await make_profile(client, store_id, chat=chat) for chat in ("Ann@x.org", "ann@x.org")]
        accepted = await client.post(f"{url}/Preview", json=await _body(client, url, normalization="email"))
        async with database.transaction() as connection:
            operation_id = ids.decoded(accepted.headers["Operation-Id"])
            progress = f'{{"versions": [7, 7], "results": 1, "is_read": true, "after": "{UUID(int=2**128 - 1)}"}}'
            await connection.execute(
                text("update operation set progress = cast(:progress as jsonb) where id = :id"),
                {"progress": progress, "id": operation_id},
            )
            await connection.execute(
                text("""
                    insert into preview_result
                    select account_id, id, 0, 'refused', '{}', 1, 'chat', '' from operation where id = :id
                """),
                {"id": operation_id},
            )
        await run_until_idle(database, HANDLERS)
        (merge,) = await _results(client, (await finished(client, accepted))["resultUrl"])
        assert merge["profiles"] == people
