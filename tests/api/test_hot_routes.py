"""The lean route answers what FastAPI itself would have answered, byte for byte.

The same thousand requests go to two applications on one database. In one, an overridden dependency lets FastAPI
serve everything; that the other serves leanly, where nothing is odd, is counted.
"""

import base64
import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from profile_lookup.app import create_app
from profile_lookup.ingest.group_ingest import GroupIngest
from profile_lookup.lookup import routes as lookup_routes
from profile_lookup.settings import Settings
from profile_lookup.web.docs import install_docs
from tests.conftest import BASE_URL, change_settings, look_up, make_profile, make_store

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


TRAITS: dict[str, list[Any]] = {
    "chat": [*CHATS, ["c-1", "c-2"], ["c-3", 4], 5, True, None],
    "phone": [*PHONES, ["+13175556789"]],
    "email": ["a@example.com", " B@Example.com ", ""],
    "firstName": ["Ada", "", 7, "x" * 1025, "\x00", "\ud800", [], {}, 1.5],
}
ODD_PEOPLE = [
    b"", b"{", b"[]", b"null", b"1", b"{}", b'{"traits":null}', b'{"traits":{}}', b'{"traits":[]}', b'{"traits":1}',
    b'{"traits":{"Contact":null}}', b'{"traits":{"Contact":{}}}', b'{"traits":{"Contact":{"chat":"c-1"}},"x":1}',
    b'{"traits":{"Contact":{"chat":"c-1"}},"x":null}', b'{"traits":{"Nobody":{"chat":"c-1"}}}',
    b'{"traits":{"Contact":{"nothing":"c-1"}}}', b'{"traits":{"Contact":{"chat":"c-1"},"Contact":{"chat":"c-2"}}}',
    b'{"traits":{"Contact":{"chat":"c-1","chat":"c-2"}}}', b'{"traits":{"Contact":{"chat":NaN}}}',
    b'{"traits":{"Contact":{"chat":1e400}}}', b'{"traits":{"Contact":{"chat":' + b"9" * 5000 + b"}}}",
    b'{"traits":{"Contact":{"chat":"\\ud800"}}}', b'\xef\xbb\xbf{"traits":{"Contact":{"chat":"c-1"}}}',
    '{"traits":{"Contact":{"chat":"c-1"}}}'.encode("utf-16"), b'{"traits":{"Contact":{"chat":"c-1"}}} x',
    b'{"traits":' + b"[" * 5000, b'{"traits":{"Contact":{"chat":"c-1","firstName":"' + b"x" * 12_000 + b'"}}}',
    b'{"traits":{"Contact":{"chat":"a","firstName":"' + b"x" * 2_000_000 + b'"}}}',
    json.dumps({"traits": {"Contact": {"chat": [f"c-{number}" for number in range(101)]}}}).encode(),
    json.dumps({"traits": {f"Group{number}": {} for number in range(51)}}).encode(),
]  # fmt: skip


@dataclass(frozen=True)
class Request:
    """`pieces`: that its body arrives in."""

    method: str
    path: str
    body: bytes = field(repr=False)
    headers: list[tuple[str, str]]
    pieces: int

    async def sent_by(self, client: httpx.AsyncClient) -> httpx.Response:
        async def parts() -> AsyncIterator[bytes]:
            size = len(self.body) // self.pieces + 1
            for start in range(0, len(self.body), size):
                yield self.body[start : start + size]

        return await client.send(client.build_request(self.method, self.path, content=parts(), headers=self.headers))


@pytest.fixture
async def leanly(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL) as anybody:
        yield anybody


@pytest.fixture
async def plainly(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Of an application that FastAPI serves alone."""
    plain = create_app(settings)
    plain.dependency_overrides[install_docs] = install_docs  # any will do
    async with (
        plain.router.lifespan_context(plain),
        httpx.AsyncClient(transport=httpx.ASGITransport(plain), base_url=BASE_URL) as anybody,
    ):
        yield anybody


async def test_whatever_is_asked_the_lean_route_answers_what_fastapi_answers(
    leanly: httpx.AsyncClient,
    plainly: httpx.AsyncClient,
    client: httpx.AsyncClient,
    account: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
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

    answered_leanly: list[Any] = []
    lean = lookup_routes._written

    def counted(found: Any) -> bytes:
        answered_leanly.append(found)
        return lean(found)

    monkeypatch.setattr(lookup_routes, "_written", counted)
    for request in _requests(random.Random(23), store_id, account, "/Lookup", _question, ODD_BODIES):
        answer = await request.sent_by(leanly)
        count = len(answered_leanly)
        assert _seen(answer) == _seen(await request.sent_by(plainly)), request
        assert len(answered_leanly) == count  # or FastAPI was not asked
    assert len(answered_leanly) > REQUESTS / 4


async def test_whatever_is_to_be_created_the_lean_route_answers_what_fastapi_answers(
    app: FastAPI,
    leanly: httpx.AsyncClient,
    plainly: httpx.AsyncClient,
    client: httpx.AsyncClient,
    account: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is asked for twice, once of the one and once of the other, in any order: it is the same person then."""
    store_id = await make_store(client)
    await change_settings(client, store_id, rules=("whatsapp", "chat"))  # what others have of the rest is a conflict
    asked_leanly: list[Any] = []
    ingest = GroupIngest.ingest

    async def counted(*arguments: Any) -> Any:
        asked_leanly.append(arguments)
        return await ingest(*arguments)

    monkeypatch.setattr(GroupIngest, "ingest", counted)
    chance = random.Random(29)
    statuses: Counter[int] = Counter()
    for request in _requests(chance, store_id, account, "", _person, ODD_PEOPLE):
        seen = {}
        for anybody in (leanly, plainly) if chance.random() < 0.5 else (plainly, leanly):
            count = len(asked_leanly)
            seen[anybody] = _seen(await request.sent_by(anybody))
            assert anybody is leanly or len(asked_leanly) == count  # or FastAPI was not asked
        assert seen[leanly] == seen[plainly], request
        statuses[seen[leanly][0]] += 1
    assert len(asked_leanly) > REQUESTS / 4
    assert statuses[202] > REQUESTS / 5
    assert statuses.keys() >= {202, 400, 401, 404, 405, 409}


async def test_what_never_arrived_completely_is_not_written(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, account: tuple[str, str]
) -> None:
    body = b'{"traits":{"Contact":{"chat":"c-1"}}}'
    messages: list[Message] = [
        {"type": "http.request", "body": body, "more_body": True},
        {"type": "http.disconnect"},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    async def send(_: Message) -> None:
        pass

    path = f"/v1/Stores/{store_id}/Profiles"
    headers = httpx.Headers({"Content-Type": "application/json", "Content-Length": str(len(body) + 10)})
    headers["Authorization"] = f"Basic {base64.b64encode(':'.join(account).encode()).decode()}"
    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"",
        "headers": [(name.lower(), value) for name, value in headers.raw],
    }  # fmt: skip
    await app(scope, receive, send)
    assert await look_up(client, store_id, "chat", "c-1") == []


def _seen(answer: httpx.Response) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    return answer.status_code, [pair for pair in answer.headers.raw if pair[0] != b"x-request-id"], answer.content


def _question(chance: random.Random) -> bytes:
    value = chance.choice(CHATS + PHONES)
    return json.dumps({"idType": chance.choice(("chat", "phone", "chat", "email")), "value": value}).encode()


def _person(chance: random.Random) -> bytes:
    traits = {name: chance.choice(values) for name, values in TRAITS.items() if chance.random() < 0.25}
    traits["whatsapp"] = f"w-{chance.randrange(50)}"
    return json.dumps({"traits": {"Contact": traits}}).encode()


def _requests(
    chance: random.Random,
    store_id: str,
    account: tuple[str, str],
    suffix: str,
    usual: Callable[[random.Random], bytes],
    odd: Sequence[bytes],
) -> Iterator[Request]:
    right = base64.b64encode(":".join(account).encode()).decode()
    for _ in range(REQUESTS):
        body = usual(chance)
        authorization = f"Basic {right}"
        media_type: str | None = "application/json"
        path = f"/v1/Stores/{store_id}/Profiles{suffix}"
        method = "POST"
        match chance.randrange(20):
            case 0 | 1 | 2 | 3 | 4:
                body = chance.choice(odd)
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
        headers = [("Authorization", authorization), ("Content-Length", str(len(body)))]
        headers += [] if media_type is None else [("Content-Type", media_type)]
        if chance.random() < 0.05:
            odd_one = chance.choice(
                (("Authorization", f"Basic {right[:-4]}"), ("Content-Type", "text/plain"), ("X", ""))
            )
            headers.insert(chance.randrange(len(headers) + 1), odd_one)
        yield Request(method, path, body, headers, pieces=chance.choice((1, 1, 2, 3)))
