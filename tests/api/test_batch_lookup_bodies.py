"""The bodies of batch lookups: their form, their size, and what happens while they arrive."""

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from profile_lookup.database.pool import Database
from tests.access.callers import with_key
from tests.api.batch_lookups import batch_body, batch_path
from tests.conftest import change_settings, make_profile


async def test_a_thousand_values_of_the_greatest_length_fit_into_a_body(
    client: httpx.AsyncClient, store_id: str
) -> None:
    body = json.dumps(batch_body([("chat", f"{number:04}" + "語" * 251) for number in range(1000)]), ensure_ascii=False)
    answer = await client.post(
        batch_path(store_id), content=body.encode(), headers={"Content-Type": "application/json"}
    )
    assert [each["profiles"] for each in answer.json()["results"]] == [[]] * 1000


async def test_a_body_of_more_than_a_mebibyte_is_refused(client: httpx.AsyncClient, store_id: str) -> None:
    answer = await client.post(batch_path(store_id), json=batch_body([("chat", "x" * (1 << 20))]))
    assert (answer.status_code, answer.json()["code"]) == (413, 20413)


@pytest.mark.parametrize(
    "body",
    [
        {}, [], None, {"identifiers": []}, {"identifiers": {}}, {"identifiers": None},
        {"identifiers": [{"idType": "chat", "value": "c"}] * 1001},
        {"identifiers": ["c"]}, {"identifiers": [{"idType": "chat"}]}, {"identifiers": [{"value": "c"}]},
        {"identifiers": [{"idType": "chat", "value": 1}]}, {"identifiers": [{"idType": None, "value": "c"}]},
        {"identifiers": [{"idType": "chat", "value": "c", "more": 1}]},
        {"identifiers": [{"idType": "chat", "value": "c"}], "more": 1},
        [{"idType": "chat", "value": "c"}],
    ],
)  # fmt: skip
async def test_a_body_that_is_no_list_of_identifiers_is_refused(
    client: httpx.AsyncClient, store_id: str, body: Any
) -> None:
    answer = await client.post(batch_path(store_id), json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)


async def test_a_body_may_be_in_utf_16(client: httpx.AsyncClient, store_id: str) -> None:
    body = json.dumps(batch_body([("chat", "日本")]), ensure_ascii=False).encode("utf-16")
    answer = await client.post(batch_path(store_id), content=body, headers={"Content-Type": "application/json"})
    assert answer.json() == {"results": [{"normalizedValue": "日本", "profiles": []}]}


async def test_rules_that_change_while_the_body_arrives_are_those_that_count(
    client: httpx.AsyncClient, store_id: str
) -> None:
    ann = await make_profile(client, store_id, chat="MiXeD@x")

    async def body() -> Any:
        yield b'{"identifiers":[{"idType":"chat","value":"mixed@x"},'
        await change_settings(client, store_id, chat={"normalization": "email"})
        yield b'{"idType":"chat","value":"no address"}]}'

    answer = await client.post(batch_path(store_id), content=body(), headers={"Content-Type": "application/json"})
    first, second = answer.json()["results"]
    assert first == {"normalizedValue": "mixed@x", "profiles": [ann]}
    assert second.keys() == {"error"}


async def test_a_caller_who_loses_the_right_while_the_body_arrives_learns_nothing(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await make_profile(client, store_id, chat="c-1")

    async def body() -> Any:
        yield b'{"identifiers":[{"idType":"chat","value":"c-1"}'
        async with database.transaction() as connection:
            await connection.execute(text("update credential set secret_sha256 = '' where sid like 'SK%'"))
        yield b"]}"

    async with with_key(app, client, "lookup") as limited:
        answer = await limited.post(batch_path(store_id), content=body(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 401


async def test_a_store_id_is_checked_before_the_body(client: httpx.AsyncClient) -> None:
    for wrong, code in (("nonsense", 520049), ("mem_store_" + "0" * 26, 520041)):
        answer = await client.post(batch_path(wrong), content=b"{", headers={"Content-Type": "application/json"})
        assert answer.json()["code"] == code
