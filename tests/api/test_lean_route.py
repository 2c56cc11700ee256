"""The lean route answers what FastAPI itself would have answered, byte for byte.

The same thousand requests go to two applications on one database. In one, an overridden dependency lets FastAPI
serve everything; that the other serves leanly, where nothing is odd, is counted.
"""

import base64
import json
import os
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from profile_lookup.app import create_app
from profile_lookup.profiles import lookup_routes
from profile_lookup.settings import Settings
from profile_lookup.web.docs import install_docs
from tests.conftest import BASE_URL, change_settings, make_profile, make_store

REQUESTS = int(os.environ.get("LEAN_REQUESTS", "1000"))

PHONES = ["+13175556789", "(317) 555-6789", "1-317-555-6789", "+44 20 7946 0958", "317 555 678", "+1 317 555 6789 x2"]
CHATS = ["c-1", " c-1\t", 'c-ü"\\/\x7f\u2028', "\x1f", "c-\U0001f600", "\x00", "\ud800", "x" * 255, "x" * 256, ""]
ODD_BODIES = [
    b"", b"{", b"[]", b"null", b"1", b'"idType"', b"\xff", b"[" * 5000, b"{}", b'{"idType":"chat"}',
    b'{"idType":"chat","value":1}', b'{"idType":"chat","value":null}', b'{"idType":1,"value":"c-1"}',
    b'{"idType":"chat","value":"c-1","x":1}', b'{"idType":"chat","value":"c-1","x":null}',
    b'{"idType":"phone","value":"+13175556789","idType":"chat","value":"c-1"}',
    b'{"idType":"chat","value":"c-1","value":"c-2"}', b'{"idType":null,"idType":"chat","value":"c-1"}',
    b'{"id_type":"chat","value":"c-1"}', b'\xef\xbb\xbf{"idType":"chat","value":"c-1"}',
    '{"idType":"chat","value":"c-1"}'.encode("utf-16"), b' \n{"idType" : "chat" ,"value":"c-1"}\t ',
    b'{"idType":"chat","value":"c-1"} x', b'{"idType":"chat","value":"\\ud800"}', b'{"idType":"chat","value":"\\u0063-1"}',
    b'{"idType":"chat","value":"\\uD83D\\uDE00"}', b'{"idType":"chat","value":NaN}', b"{'idType':'chat','value':'c'}",
    b'{"idType":"chat","value":"c\n"}', b'{"idType":"chat","value":"c-1",}', b'{"idType":"fax","value":"c-1"}',
    b'{"idType":"x","value":"c-1"}', b'{"idType":"lobby","value":"l"}', b'{"idType":"name","value":"Alysa Mock"}',
    b'{"value":"' + b"x" * 2_000_000 + b'"}',
]  # fmt: skip


@pytest.fixture
async def plain(settings: Settings) -> AsyncIterator[FastAPI]:
    """The application that FastAPI serves alone."""
    created = create_app(settings)
    created.dependency_overrides[install_docs] = install_docs  # any will do
    async with created.router.lifespan_context(created):
        yield created


async def test_whatever_is_asked_the_lean_route_answers_what_fastapi_answers(
    app: FastAPI, plain: FastAPI, client: httpx.AsyncClient, account: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store_id = await make_store(client)
    await change_settings(
        client, store_id, lobby={"enforceUnique": False}, name={"matchingAlgo": "fuzzy", "matchingThreshold": 50}
    )
    groups = f"/v1/ControlPlane/Stores/{store_id}/TraitGroups"
    traits = {name: {"dataType": "STRING", "idTypePromotion": name} for name in ("lobby", "name")}
    await client.post(groups, json={"displayName": "More", "traits": traits})
    for number in range(4):
        more = {"lobby": "l", "name": f"Alyssa Mock {number}"}
        sent = {"Contact": {"chat": f"c-{number}"}, "More": more}
        assert (await client.post(f"/v1/Stores/{store_id}/Profiles", json={"traits": sent})).status_code == 202
    for chat in (CHATS[2], CHATS[4]):
        await make_profile(client, store_id, chat=chat)
    await make_profile(client, store_id, phone=PHONES[0])
    await make_profile(client, store_id, phone=PHONES[3])

    served = {"leanly": 0}
    lean = lookup_routes._written

    def counted(found: Any) -> bytes:
        served["leanly"] += 1
        return lean(found)

    monkeypatch.setattr(lookup_routes, "_written", counted)
    chance = random.Random(23)
    bare = httpx.ASGITransport(app), httpx.ASGITransport(plain)
    async with (
        httpx.AsyncClient(transport=bare[0], base_url=BASE_URL) as leanly,
        httpx.AsyncClient(transport=bare[1], base_url=BASE_URL) as plainly,
    ):
        for request in _requests(chance, store_id, account):
            answers = [await anybody.send(anybody.build_request(**request)) for anybody in (leanly, plainly)]
            seen = [_seen(answer) for answer in answers]
            assert seen[0] == seen[1], request
    assert REQUESTS / 4 < served["leanly"] < REQUESTS


def _seen(answer: httpx.Response) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    return answer.status_code, [pair for pair in answer.headers.raw if pair[0] != b"x-request-id"], answer.content


def _requests(chance: random.Random, store_id: str, account: tuple[str, str]) -> Iterator[dict[str, Any]]:
    right = base64.b64encode(":".join(account).encode()).decode()
    for _ in range(REQUESTS):
        value = chance.choice(CHATS + PHONES)
        body = json.dumps({"idType": chance.choice(("chat", "phone", "chat", "email")), "value": value}).encode()
        authorization = f"Basic {right}"
        media_type: str | None = "application/json"
        path = f"/v1/Stores/{store_id}/Profiles/Lookup"
        method = "POST"
        match chance.randrange(20):
            case 0 | 1 | 2 | 3 | 4:
                body = chance.choice(ODD_BODIES)
            case 5:
                authorization = chance.choice(
                    ("", "Basic", f"Basic {right[:-4]}", f"basic {right}", f"Basic  {right} ")
                )
            case 6:
                media_type = chance.choice(
                    (
                        None,
                        "text/plain",
                        "application/json; charset=utf-8",
                        "Application/JSON",
                        "application/vnd.x+json",
                    )
                )
            case 7:
                path = path.replace(
                    store_id, chance.choice(("nonsense", store_id[:-1] + "u", store_id.replace("store", "service")))
                )
            case 8:
                method = chance.choice(("GET", "PUT", "HEAD"))
        headers = {"Authorization": authorization} | ({} if media_type is None else {"Content-Type": media_type})
        yield {"method": method, "url": path, "content": body, "headers": headers}
