"""Auth tokens rotate with an overlap, disabled accounts are refused at once, and signing keys rotate."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from profile_lookup.accounts.administration import mark_deleted, remove_deleted, set_enabled
from profile_lookup.accounts.queries import account_of
from profile_lookup.clock import CLOCK
from profile_lookup.database.keyset import Position
from profile_lookup.database.pool import Database
from profile_lookup.database.signing_key import SigningKey, rotate_signing_key
from profile_lookup.errors import PageTokenRefused
from profile_lookup.web.pagination import MAX_AGE, PageTokens
from tests.access.callers import caller, make_key, with_key
from tests.conftest import make_store

ROTATE = "/v1/ControlPlane/AuthToken/Rotate"
STORES = "/v1/ControlPlane/Stores"


async def _statuses(app: FastAPI, store_id: str, sid: str, secret: str) -> list[int]:
    async with caller(app, sid, secret) as client:
        body = {"idType": "chat", "value": "c-1"}
        return [
            (await client.get(STORES)).status_code,
            (await client.get(f"/v1/Stores/{store_id}/Profiles")).status_code,
            (await client.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json=body)).status_code,
            (await client.post(f"/v1/Stores/{store_id}/Profiles", json={})).status_code,
        ]


ACCEPTED, REFUSED = [200, 200, 200, 400], [401] * 4


async def test_a_rotated_token_is_refused_and_the_new_one_accepted(
    app: FastAPI, client: httpx.AsyncClient, account: tuple[str, str], store_id: str
) -> None:
    sid, first = account
    assert await _statuses(app, store_id, sid, first) == ACCEPTED
    rotated = await client.post(ROTATE, json={})
    assert rotated.status_code == 200
    assert rotated.headers["Cache-Control"] == "no-store"
    assert rotated.json().keys() == {"authToken"}
    assert await _statuses(app, store_id, sid, first) == REFUSED
    assert await _statuses(app, store_id, sid, rotated.json()["authToken"]) == ACCEPTED


async def test_during_the_overlap_both_tokens_are_accepted(
    app: FastAPI, client: httpx.AsyncClient, account: tuple[str, str], store_id: str, database: Database
) -> None:
    sid, first = account
    second = (await client.post(ROTATE, json={"overlapSeconds": 3600})).json()["authToken"]
    for token in (first, second, first):
        assert await _statuses(app, store_id, sid, token) == ACCEPTED
    async with database.transaction() as connection:
        await connection.execute(text("update credential set former_until = now() where sid = :sid"), {"sid": sid})
    assert await _statuses(app, store_id, sid, first) == REFUSED
    assert await _statuses(app, store_id, sid, second) == ACCEPTED


async def test_of_two_rotations_in_an_overlap_only_the_last_two_tokens_are_accepted(
    app: FastAPI, client: httpx.AsyncClient, account: tuple[str, str], store_id: str
) -> None:
    sid, first = account
    second = (await client.post(ROTATE, json={"overlapSeconds": 3600})).json()["authToken"]
    async with caller(app, sid, second) as renewed:
        third = (await renewed.post(ROTATE, json={"overlapSeconds": 3600})).json()["authToken"]
    assert [await _statuses(app, store_id, sid, token) for token in (first, second, third)] == [
        REFUSED, ACCEPTED, ACCEPTED,
    ]  # fmt: skip


async def test_no_key_rotates_the_token(app: FastAPI, client: httpx.AsyncClient) -> None:
    async with with_key(app, client) as full:
        refused = await full.post(ROTATE, json={"overlapSeconds": 3600})
        assert (refused.status_code, refused.json()["code"]) == (403, 403)
    for seconds in (-1, 604_801, "1"):
        assert (await client.post(ROTATE, json={"overlapSeconds": seconds})).status_code == 400


async def test_a_disabled_account_is_refused_with_all_its_keys_until_it_is_enabled(
    app: FastAPI, client: httpx.AsyncClient, account: tuple[str, str], store_id: str, database: Database
) -> None:
    key = await make_key(client)
    callers = [account, (key["sid"], key["secret"])]
    for is_enabled in (True, False, True):
        async with database.transaction() as connection:
            account_id = await account_of(connection, account[0])
            assert account_id is not None
            await set_enabled(connection, account_id, is_enabled=is_enabled)
        for each in callers:
            assert await _statuses(app, store_id, *each) == (ACCEPTED if is_enabled else REFUSED)


async def test_the_row_of_a_deleted_account_goes_with_its_last_operation(
    client: httpx.AsyncClient, account: tuple[str, str], database: Database
) -> None:
    await make_store(client)
    async with database.transaction() as connection:
        account_id = await account_of(connection, account[0])
        assert account_id is not None
        await connection.execute(text("delete from trait_group"))
        await connection.execute(text("delete from store"))
        await mark_deleted(connection, account_id)
    assert (await client.get(STORES)).status_code == 401
    count = text("select count(*) from account")
    async with database.statements() as connection:
        await remove_deleted(connection)
        assert await connection.scalar(count) == 1
        await connection.execute(text("delete from operation"))
        await remove_deleted(connection)
        assert await connection.scalar(count) == 0


async def test_what_a_former_signing_key_signed_is_valid_and_the_newest_signs_once_all_know_it(
    database: Database,
) -> None:
    async def secrets() -> list[bytes]:
        return list(await SigningKey(database).secrets())

    (first,) = await secrets()
    token = PageTokens([first]).write(Position(["1"]), "ASC", "list")
    async with database.transaction() as connection:
        await rotate_signing_key(connection, revokes_former=False)
    waiting = await secrets()
    assert len(waiting) == 2
    assert waiting[-1] == first
    async with database.transaction() as connection:
        await connection.execute(text("update signing_key set signs_from = now() where id = 2"))
    signing = await secrets()
    assert signing == [first, waiting[0]]
    for known in (waiting, signing):
        assert PageTokens(known).read(token, "ASC", "list") == (Position(["1"]), "ASC")
        assert PageTokens(waiting).read(PageTokens(known).write(Position(), "ASC", "list"), "ASC", "list")
    async with database.transaction() as connection:
        await rotate_signing_key(connection, revokes_former=True)
    (only,) = await secrets()
    assert only not in signing
    with pytest.raises(PageTokenRefused):
        PageTokens([only]).read(token, "ASC", "list")


async def test_a_page_token_expires_after_a_week(client: httpx.AsyncClient, database: Database) -> None:
    for name in ("one", "two"):
        await make_store(client, name)
    token = (await client.get(STORES, params={"pageSize": 1})).json()["meta"]["nextToken"]
    statuses = {}
    try:
        for age in (MAX_AGE - 60, MAX_AGE + 60):
            CLOCK.moved_by = timedelta(seconds=age)
            statuses[age] = (await client.get(STORES, params={"pageToken": token})).status_code
    finally:
        CLOCK.moved_by = timedelta()
    assert list(statuses.values()) == [200, 400]


async def test_a_process_reads_new_signing_keys_without_a_restart(database: Database) -> None:
    signing_key = SigningKey(database, reread_after=0.01)
    assert len(await signing_key.secrets()) == 1
    async with database.transaction() as connection:
        await rotate_signing_key(connection, revokes_former=False)
    await asyncio.sleep(0.02)
    assert len(await signing_key.secrets()) == 2


async def test_a_token_that_was_replaced_while_its_request_arrived_rotates_nothing(
    app: FastAPI, client: httpx.AsyncClient, account: tuple[str, str], store_id: str
) -> None:
    sid, leaked = account
    rotated: list[httpx.Response] = []

    async def body() -> AsyncIterator[bytes]:
        yield b'{"overlapSeconds": '
        rotated.append(await client.post(ROTATE, json={}))
        yield b"0}"

    async with caller(app, sid, leaked) as thief:
        refused = await thief.post(ROTATE, content=body(), headers={"Content-Type": "application/json"})
    assert refused.status_code == 401
    assert await _statuses(app, store_id, sid, rotated[0].json()["authToken"]) == ACCEPTED
