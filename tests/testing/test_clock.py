"""The clock of a server for tests: what expires, and the times that are written."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.clock import CLOCK
from profile_lookup.database.pool import Database
from profile_lookup.operations.job import LEASE
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.leases import renew
from profile_lookup.operations.queue import take
from tests.conftest import finished, make_profile
from tests.history.splits import merged
from tests.imports.conftest import create, ended, upload
from tests.testing.conftest import STORE_ID, OpenDouble

CSV = b"email\nann@example.com\n"


async def test_the_clock_begins_where_the_settings_say_and_runs_on(open_double: OpenDouble) -> None:
    async with open_double(clock="2031-05-01T12:00:00+02:00", ephemeral_store_id=STORE_ID) as client:
        assert await _now(client) - datetime(2031, 5, 1, 10, tzinfo=UTC) < timedelta(minutes=2)
        profile_id = await make_profile(client, STORE_ID, chat="c-1")
        profile = (await client.get(f"/v1/Stores/{STORE_ID}/Profiles/{profile_id}")).json()
        assert profile["createdAt"].startswith("2031-05-01T10:0")
    assert CLOCK.moved_by == timedelta()


async def test_without_a_setting_it_is_the_real_time(client: httpx.AsyncClient) -> None:
    assert abs(await _now(client) - datetime.now(UTC)) < timedelta(minutes=2)


@pytest.mark.parametrize(
    "change", [{"now": "2031-05-01T10:00:00Z"}, {"advanceSeconds": 3600}, {"advanceSeconds": -0.5}]
)
async def test_a_moved_clock_shows_the_time_that_it_was_moved_to(
    client: httpx.AsyncClient, change: dict[str, object]
) -> None:
    before = await _now(client)
    answer = await client.put("/testing/clock", json=change)
    assert answer.status_code == 200
    seconds = change.get("advanceSeconds")
    expected = (
        before + timedelta(seconds=seconds)
        if isinstance(seconds, int | float)
        else datetime(2031, 5, 1, 10, tzinfo=UTC)
    )
    assert abs(datetime.fromisoformat(answer.json()["now"]) - expected) < timedelta(minutes=2)


@pytest.mark.parametrize(
    "change", [{}, {"now": "2031-05-01T10:00:00"}, {"now": "2031-05-01T10:00:00Z", "advanceSeconds": 1}]
)
async def test_a_change_that_is_unclear_is_refused(client: httpx.AsyncClient, change: object) -> None:
    assert (await client.put("/testing/clock", json=change)).status_code == 400


@pytest.mark.parametrize("year", ["0001", "1969", "3000", "9999"])
async def test_a_time_that_would_stop_the_service_is_refused(client: httpx.AsyncClient, year: str) -> None:
    before = await _now(client)
    refused = await client.put("/testing/clock", json={"now": f"{year}-12-31T23:59:59+14:00"})
    assert (refused.status_code, refused.json()["message"]) == (400, "now: expected a time from 1970 to 2999")
    assert await _now(client) - before < timedelta(minutes=2)


async def test_the_clock_is_moved_no_further_than_to_its_last_year(client: httpx.AsyncClient) -> None:
    answers = [await client.put("/testing/clock", json={"advanceSeconds": 3e9}) for _ in range(12)]
    assert {answer.status_code for answer in answers} == {200, 400}
    await make_profile(client, STORE_ID, chat="c-1")


async def test_a_reset_sets_the_clock_to_its_beginning(open_double: OpenDouble) -> None:
    async with open_double(clock="2031-05-01T10:00:00Z") as client:
        await client.put("/testing/clock", json={"advanceSeconds": 86_400})
        await client.post("/testing/reset")
        assert await _now(client) - datetime(2031, 5, 1, 10, tzinfo=UTC) < timedelta(minutes=2)


async def test_the_address_of_an_upload_expires_by_the_clock(client: httpx.AsyncClient) -> None:
    created = await create(client, STORE_ID, len(CSV))
    await client.put("/testing/clock", json={"advanceSeconds": 3601})
    assert (await upload(client, created["url"], CSV)).status_code == 403
    assert (await ended(client, STORE_ID, created))["status"] == "FAILED"


async def test_operations_are_deleted_when_their_time_is_up(client: httpx.AsyncClient) -> None:
    accepted = await client.patch(f"/v1/ControlPlane/Stores/{STORE_ID}", json={"displayName": "renamed"})
    await client.put("/testing/clock", json={"advanceSeconds": 6 * 86_400})
    assert (await client.get(accepted.headers["Location"])).status_code == 200
    await client.put("/testing/clock", json={"advanceSeconds": 2 * 86_400})
    assert (await client.get(accepted.headers["Location"])).status_code == 404


@pytest.mark.parametrize(("days", "status"), [(29, 202), (31, 400)])
async def test_history_ends_by_the_clock(open_double: OpenDouble, days: int, status: int) -> None:
    async with open_double(history_days=30, ephemeral_store_id=STORE_ID) as client:
        ann, _ = await merged(client, STORE_ID)
        profile = f"/v1/Stores/{STORE_ID}/Profiles/{ann}"
        (join,) = [each["id"] for each in (await client.get(f"{profile}/Events")).json()["events"] if "rule" in each]
        await client.put("/testing/clock", json={"advanceSeconds": days * 86_400})
        await client.put("/testing/clock", json={"advanceSeconds": -days * 86_400})  # it does not begin again
        answer = await client.post(f"{profile}/Splits", json={"events": [join]})
        assert answer.status_code == status, answer.text


async def test_a_worker_keeps_the_operation_that_it_works_on_when_the_clock_moves(
    open_double: OpenDouble, database: Database
) -> None:
    async with open_double(run_operations=False, ephemeral_store_id=STORE_ID) as client:
        body = {"profiles": [{"traits": {"Contact": {"chat": "c-1"}}}]}
        await client.put(f"/v1/Stores/{STORE_ID}/Profiles/Bulk", json=body)
        kinds = [OperationKind.UPDATE_PROFILES_BULK]
        async with database.transaction() as connection:
            taken = await take(connection, kinds, uuid4(), LEASE)
        assert taken is not None
        await client.put("/testing/clock", json={"advanceSeconds": 3600})
        async with database.transaction() as connection:
            assert await take(connection, kinds, uuid4(), LEASE) is None
        await client.put("/testing/clock", json={"advanceSeconds": -7200})
        async with database.transaction() as connection:
            assert await renew(connection, taken, -LEASE)
            await connection.execute(text("update operation_turn set ready_at = clock_timestamp()"))
            assert await take(connection, kinds, uuid4(), LEASE) is not None


@pytest.mark.parametrize("clock", ["1971-01-15T10:15:30Z", "2999-01-15T10:15:30Z"])
async def test_operations_run_at_any_time(open_double: OpenDouble, clock: str) -> None:
    async with open_double(clock=clock, ephemeral_store_id=STORE_ID) as client:
        for change in ({}, {"advanceSeconds": -3600}, {"advanceSeconds": 3600}):
            if change:
                await client.put("/testing/clock", json=change)
            body = {"profiles": [{"traits": {"Contact": {"chat": "c-1"}}}]}
            accepted = await client.put(f"/v1/Stores/{STORE_ID}/Profiles/Bulk", json=body)
            assert (await finished(client, accepted))["status"] == "COMPLETED"


async def test_traits_have_the_time_of_the_clock(client: httpx.AsyncClient) -> None:
    await client.put("/testing/clock", json={"now": "2031-05-01T10:00:00Z"})
    profile_id = await make_profile(client, STORE_ID, chat="c-1", firstName="Ann")
    traits = (await client.get(f"/v1/Stores/{STORE_ID}/Profiles/{profile_id}/Traits")).json()["traits"]
    assert {trait["timestamp"][:13] for trait in traits} == {"2031-05-01T10"}


async def _now(client: httpx.AsyncClient) -> datetime:
    return datetime.fromisoformat((await client.get("/testing/clock")).json()["now"])
