"""The hot routes answer every request of their operation, usual or odd, known caller or stranger, in the one way."""

import base64
import json
import sys
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from profile_lookup.errors import MediaTypeRefused, StoreIdMalformed, Unauthenticated
from tests.conftest import change_settings, look_up, make_store

TRAILING_COMMA = 30 if sys.version_info >= (3, 13) else 31
"""Python 3.13 says where the comma is, and earlier versions what follows it."""

LOOKUPS: list[tuple[bytes, int, object, object]] = [
    (b"", 400, 520046, "body: Field required"),
    (b"{", 400, 520046, "body: expected JSON; it is malformed at character 1"),
    (b"[]", 400, 520046, "body: Input should be a valid dictionary"),
    (b"null", 400, 520046, "body: Input should be a valid dictionary"),
    (b"1", 400, 520046, "body: Input should be a valid dictionary"),
    (b'"idType"', 400, 520046, "body: Input should be a valid dictionary"),
    (b"\xff", 400, 520046, "body: expected JSON; it is malformed"),
    (b"[" * 99_000, 400, 520046, "body: expected at most 256 levels of nesting"),
    (b"{}", 400, 520046, "idType: Field required; value: Field required"),
    (b'{"idType":"chat"}', 400, 520046, "value: Field required"),
    (b'{"idType":"chat","value":1}', 400, 520046, "value: Input should be a valid string"),
    (b'{"idType":"chat","value":null}', 400, 520046, "value: Field required"),
    (b'{"idType":1,"value":"c-1"}', 400, 520046, "idType: Input should be a valid string"),
    (b'{"idType":"chat","value":"c-1","x":1}', 400, 520046, "x: Extra inputs are not permitted"),
    (b'{"idType":"chat","value":"c-1","x":null}', 200, "c-1", 1),
    (b'{"idType":"phone","value":"+13175556789","idType":"chat","value":"c-1"}', 200, "c-1", 1),
    (b'{"idType":"chat","value":"c-1","value":"c-2"}', 200, "c-2", 1),
    (b'{"idType":null,"idType":"chat","value":"c-1"}', 200, "c-1", 1),
    (b'{"id_type":"chat","value":"c-1"}', 400, 520046, "idType: Field required; id_type: Extra inputs are not permitted"),
    (b'\xef\xbb\xbf{"idType":"chat","value":"c-1"}', 200, "c-1", 1),
    ('{"idType":"chat","value":"c-1"}'.encode("utf-16"), 200, "c-1", 1),
    (b' \n{"idType" : "chat" ,"value":"c-1"}\t ', 200, "c-1", 1),
    (b'{"idType":"chat","value":"c-1"} x', 400, 520046, "body: expected JSON; it is malformed at character 32"),
    (b'{"idType":"chat","value":"\\ud800"}', 400, 520046, "value: Input should be a valid string, unable to parse raw data as a unicode string"),
    (b'{"idType":"chat","value":"\\u0063-1"}', 200, "c-1", 1),
    (b'{"idType":"chat","value":"\\uD83D\\uDE00"}', 200, "\U0001f600", 0),
    (b'{"idType":"chat","value":NaN}', 400, 520046, "body: expected JSON; it is malformed"),
    (b"{'idType':'chat','value':'c'}", 400, 520046, "body: expected JSON; it is malformed at character 1"),
    (b'{"idType":"chat","value":"c\n"}', 400, 520046, "body: expected JSON; it is malformed at character 27"),
    (b'{"idType":"chat","value":"c-1",}', 400, 520046, f"body: expected JSON; it is malformed at character {TRAILING_COMMA}"),
    (b'{"idType":"fax","value":"c-1"}', 400, 520046, "idType: not configured in this store; expected one of email, whatsapp, phone, chat, pushUserID, lobby, name"),
    (b'{"idType":"x","value":"c-1"}', 400, 520046, "idType: String should have at least 2 characters"),
    (b'{"idType":"lobby","value":"l"}', 200, "l", 4),
    (b'{"idType":"name","value":"Alysa Mock"}', 200, "Alysa Mock", 4),
    (b'{"value":"' + b"x" * 2_000_000 + b'"}', 413, 20413, "The request body is larger than 1048576 bytes"),
]  # fmt: skip
"""A body, and its answer: 200 with the normalized value and the number of profiles, or an error's code and message."""

CREATES: list[tuple[bytes, int, object, object]] = [
    (b"", 400, 520046, "body: Field required"),
    (b"{", 400, 520046, "body: expected JSON; it is malformed at character 1"),
    (b"[]", 400, 520046, "body: Input should be a valid dictionary"),
    (b"null", 400, 520046, "body: Input should be a valid dictionary"),
    (b"1", 400, 520046, "body: Input should be a valid dictionary"),
    (b"{}", 400, 520005, "Traits are required to create a profile"),
    (b'{"traits":null}', 400, 520005, "Traits are required to create a profile"),
    (b'{"traits":{}}', 400, 520005, "Traits are required to create a profile"),
    (b'{"traits":[]}', 400, 520046, "traits: Input should be a valid dictionary"),
    (b'{"traits":1}', 400, 520046, "traits: Input should be a valid dictionary"),
    (b'{"traits":{"Contact":null}}', 400, 520046, "traits.Contact: Input should be a valid dictionary"),
    (b'{"traits":{"Contact":{}}}', 400, 520005, "Traits are required to create a profile"),
    (b'{"traits":{"Contact":{"chat":"c-1"}},"x":1}', 400, 520046, "x: Extra inputs are not permitted"),
    (b'{"traits":{"Contact":{"chat":"c-1"}},"x":null}', 202, None, None),
    (b'{"traits":{"Nobody":{"chat":"c-1"}}}', 400, 520005, "traits.Nobody: no such trait group in this store"),
    (b'{"traits":{"Contact":{"nothing":"c-1"}}}', 400, 520005, "traits.Contact.nothing: no such trait in this trait group"),
    (b'{"traits":{"Contact":{"chat":"c-1"},"Contact":{"chat":"c-2"}}}', 202, None, None),
    (b'{"traits":{"Contact":{"chat":"c-1","chat":"c-2"}}}', 202, None, None),
    (b'{"traits":{"Contact":{"chat":NaN}}}', 400, 520046, "body: expected JSON; it is malformed"),
    (b'{"traits":{"Contact":{"chat":1e400}}}', 400, 520005, "traits.Contact.chat: expected a string"),
    (b'{"traits":{"Contact":{"chat":' + b"9" * 5000 + b"}}}", 400, 520046, "body: expected JSON; it is malformed"),
    (b'{"traits":{"Contact":{"chat":"\\ud800"}}}', 400, 520005, "traits.Contact.chat: expected at most 1024 characters, without NUL or lone surrogates"),
    (b'\xef\xbb\xbf{"traits":{"Contact":{"chat":"c-1"}}}', 202, None, None),
    ('{"traits":{"Contact":{"chat":"c-1"}}}'.encode("utf-16"), 202, None, None),
    (b'{"traits":{"Contact":{"chat":"c-1"}}} x', 400, 520046, "body: expected JSON; it is malformed at character 38"),
    (b'{"traits":' + b"[" * 99_000, 400, 520046, "body: expected at most 256 levels of nesting"),
    (b'{"traits":{"Contact":{"chat":"c-1","firstName":"' + b"x" * 12_000 + b'"}}}', 400, 520005, "traits.Contact.firstName: expected at most 1024 characters, without NUL or lone surrogates"),
    (b'{"traits":{"Contact":{"chat":"a","firstName":"' + b"x" * 2_000_000 + b'"}}}', 413, 20413, "The request body is larger than 1048576 bytes"),
    (json.dumps({"traits": {"Contact": {"chat": [f"c-{number}" for number in range(101)]}}}).encode(), 400, 520005, "traits.Contact.chat: expected a string"),
    (json.dumps({"traits": {f"Group{number}": {} for number in range(51)}}).encode(), 400, 520046, "traits: Dictionary should have at most 50 items after validation, not more"),
]  # fmt: skip

USUAL = b'{"idType":"chat","value":"c-1"}'
JSON = {"Content-Type": "application/json"}
UNAUTHENTICATED = (401, 20003, str(Unauthenticated()))


@pytest.fixture
async def filled(client: httpx.AsyncClient) -> str:
    """A store with four people: `c-0` to `c-3`, who share a value that is not unique and have similar names."""
    store_id = await make_store(client)
    await change_settings(
        client, store_id, lobby={"enforceUnique": False}, name={"matchingAlgo": "fuzzy", "matchingThreshold": 50}
    )
    traits = {name: {"dataType": "STRING", "idTypePromotion": name} for name in ("lobby", "name")}
    groups = f"/v1/ControlPlane/Stores/{store_id}/TraitGroups"
    await client.post(groups, json={"displayName": "More", "traits": traits})
    for number in range(4):
        more = {"lobby": "l", "name": f"Alyssa Mock {number}"}
        sent = {"traits": {"Contact": {"chat": f"c-{number}"}, "More": more}}
        assert (await client.post(f"/v1/Stores/{store_id}/Profiles", json=sent)).status_code == 202
    return store_id


@pytest.mark.parametrize("pieces", [1, 2, 3])
async def test_odd_lookups_have_the_same_answer_before_and_after_the_caller_is_known(
    client: httpx.AsyncClient, filled: str, pieces: int
) -> None:
    for _ in ("as a stranger", "as a known caller"):
        for body, *expected in LOOKUPS:
            answer = await _sent(client, f"/v1/Stores/{filled}/Profiles/Lookup", body, pieces)
            assert _outcome(answer) == tuple(expected), body[:100]


@pytest.mark.parametrize("pieces", [1, 3])
async def test_odd_creates_are_done_or_refused_with_a_reason(
    client: httpx.AsyncClient, filled: str, pieces: int
) -> None:
    for body, *expected in CREATES:
        answer = await _sent(client, f"/v1/Stores/{filled}/Profiles", body, pieces)
        assert _outcome(answer) == tuple(expected), body[:100]


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json", "application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json",
        "application/json;", 'application/json; charset="utf-8"', " application/json ",
    ],
)  # fmt: skip
async def test_every_legal_spelling_of_the_media_type_is_accepted(
    client: httpx.AsyncClient, filled: str, media_type: str
) -> None:
    path = f"/v1/Stores/{filled}/Profiles/Lookup"
    answer = await client.post(path, content=USUAL, headers={"Content-Type": media_type})
    assert _outcome(answer) == (200, "c-1", 1)
    assert _outcome(await client.post(path, content=b"", headers={"Content-Type": media_type})) == (
        400, 520046, "body: Field required",
    )  # fmt: skip


@pytest.mark.parametrize(
    "media_type", [None, "text/plain", "text/json", "application/jsonx", "application/json, text/plain"]
)
async def test_another_media_type_is_refused(client: httpx.AsyncClient, filled: str, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    for _ in ("as a stranger", "as a known caller"):
        answer = await client.post(f"/v1/Stores/{filled}/Profiles/Lookup", content=USUAL, headers=headers)
        assert _outcome(answer) == (415, 20415, str(MediaTypeRefused()))


async def test_credentials_are_judged_before_the_body(
    client: httpx.AsyncClient, filled: str, account: tuple[str, str]
) -> None:
    right = base64.b64encode(":".join(account).encode()).decode()
    path = f"/v1/Stores/{filled}/Profiles/Lookup"
    client.auth = None  # type: ignore[assignment]
    for header in ("", "Basic", f"Basic {right[:-4]}", "Bearer x"):
        for body in (USUAL, b"{"):
            answer = await client.post(path, content=body, headers=JSON | {"Authorization": header})
            assert _outcome(answer) == UNAUTHENTICATED
    for header in (f"basic {right}", f"Basic  {right} "):
        answer = await client.post(path, content=USUAL, headers=JSON | {"Authorization": header})
        assert _outcome(answer) == (200, "c-1", 1)


async def test_the_first_of_a_repeated_header_counts(
    client: httpx.AsyncClient, filled: str, account: tuple[str, str]
) -> None:
    right = base64.b64encode(":".join(account).encode()).decode()
    usual = [("Authorization", f"Basic {right}"), ("Content-Type", "application/json")]
    path = f"/v1/Stores/{filled}/Profiles/Lookup"
    client.auth = None  # type: ignore[assignment]
    for odd, refusal in (
        (("Authorization", f"Basic {right[:-4]}"), UNAUTHENTICATED),
        (("Content-Type", "text/plain"), (415, 20415, str(MediaTypeRefused()))),
    ):
        assert _outcome(await client.post(path, content=USUAL, headers=[odd, *usual])) == refusal
        assert _outcome(await client.post(path, content=USUAL, headers=[*usual, odd])) == (200, "c-1", 1)


@pytest.mark.parametrize("suffix", ["", "/Lookup"])
@pytest.mark.parametrize("body", [USUAL, b"{", b"x" * 2_000_000])
async def test_the_store_is_judged_before_the_body(
    client: httpx.AsyncClient, filled: str, suffix: str, body: bytes
) -> None:
    malformed, absent = (400, 520049, str(StoreIdMalformed())), (404, 520041, "Not Found")
    undecodable = filled[:-1] + "u"
    for store_id, expected in (("x", malformed), (undecodable, absent), (f"mem_store_{'0' * 26}", absent)):
        answer = await _sent(client, f"/v1/Stores/{store_id}/Profiles{suffix}", body, 1)
        assert _outcome(answer) == expected


async def test_a_store_has_two_names(client: httpx.AsyncClient, filled: str) -> None:
    path = f"/v1/Stores/{filled.replace('store', 'service')}/Profiles/Lookup"
    assert _outcome(await _sent(client, path, USUAL, 1)) == (200, "c-1", 1)


async def test_other_methods_are_left_to_the_framework(client: httpx.AsyncClient, filled: str) -> None:
    answer = await client.put(f"/v1/Stores/{filled}/Profiles/Lookup", content=USUAL, headers=JSON)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


async def test_a_body_that_never_arrived_completely_is_not_written(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, account: tuple[str, str]
) -> None:
    body = b'{"traits":{"Contact":{"chat":"c-1"}}}'
    messages: list[Message] = [
        {"type": "http.request", "body": body, "more_body": True},
        {"type": "http.disconnect"},
        {"type": "http.disconnect"},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    path = f"/v1/Stores/{store_id}/Profiles"
    headers = httpx.Headers(JSON | {"Content-Length": str(len(body) + 10)})
    headers["Authorization"] = f"Basic {base64.b64encode(':'.join(account).encode()).decode()}"
    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"",
        "headers": [(name.lower(), value) for name, value in headers.raw],
    }  # fmt: skip
    await app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert await look_up(client, store_id, "chat", "c-1") == []


async def _sent(client: httpx.AsyncClient, path: str, body: bytes, pieces: int) -> httpx.Response:
    """Send the body in as many pieces."""

    async def parts() -> AsyncIterator[bytes]:
        size = len(body) // pieces + 1
        for start in range(0, len(body), size):
            yield body[start : start + size]

    return await client.post(path, content=parts(), headers=JSON | {"Content-Length": str(len(body))})


def _outcome(answer: httpx.Response) -> tuple[int, object, object]:
    content = answer.json()
    match answer.status_code:
        case 200:
            return 200, content["normalizedValue"], len(content["profiles"])
        case 202:
            return 202, None, None
    return answer.status_code, content["code"], content["message"]
