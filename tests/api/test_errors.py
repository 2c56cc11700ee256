"""Every error answer has the same body, and what is checked first is answered first."""

import re
import socket
from collections.abc import AsyncIterator
from http.client import HTTPResponse
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI

from profile_lookup import errors
from profile_lookup.accounts.credentials import Credentials, digest, new_key_sid, new_secret
from profile_lookup.accounts.queries import account_of, add_key
from profile_lookup.app import create_app
from profile_lookup.database.pool import Database
from profile_lookup.settings import load_settings
from profile_lookup.web.body import USUAL_LIMITS
from profile_lookup.web.contract import STATUS_AND_CODE
from tests.conftest import BASE_URL, make_store
from tests.contract.conforming import ConformingTransport

ABSENT_STORE = "mem_store_00000000000000000000000000"
MALFORMED = "mem_store_"
NOT_DECODABLE = "mem_store_0000000000000000000000000i"
WRONG = ("AC00000000000000000000000000000000", "wrong")


def _is_contract_body(answer: httpx.Response, status: int, code: int) -> bool:
    body = answer.json()
    return (
        answer.status_code == status
        and body.keys() == {"code", "message", "more_info", "status"}
        and (body["code"], body["status"]) == (code, status)
        and body["more_info"].endswith(f"/{code}")
        and re.fullmatch("RQ[0-9a-f]{32}", answer.headers["X-Request-Id"]) is not None
        and answer.headers["Content-Type"] == "application/json"
    )


@pytest.mark.parametrize("path", ["/v1/Stores/{store}/Profiles/Lookup", "/v1/Stores/{store}/Profiles"])
@pytest.mark.parametrize(
    ("auth", "store", "body", "status", "code"),
    [
        (None, MALFORMED, b"{", 401, 20003),
        (WRONG, MALFORMED, b"{", 401, 20003),
        (WRONG, ABSENT_STORE, b"{}", 401, 20003),
        ("right", MALFORMED, b"{", 400, 520049),
        ("right", ABSENT_STORE + "%0A", b"{", 400, 520049),
        ("right", NOT_DECODABLE, b"{", 404, 520041),
        ("right", ABSENT_STORE, b"{", 404, 520041),
        ("right", ABSENT_STORE, b"x" * (USUAL_LIMITS.size + 1), 404, 520041),
        ("right", None, b"{", 400, 520046),
        ("right", None, b"", 400, 520046),
        ("right", None, b"[]", 400, 520046),
        ("right", None, b"\xff", 400, 520046),
        ("right", None, b"[" * 100_000, 400, 520046),
        ("right", None, b"1" * 5000, 400, 520046),
        ("right", None, b'{"value":1,"traits":1}', 400, 520046),
        ("right", None, b'{"idType":"phone","value":"1","traits":{},"unknown":1}', 400, 520046),
        ("right", None, b"x" * (USUAL_LIMITS.size + 1), 413, 20413),
    ],
)
async def test_credentials_come_before_ids_before_the_store_before_the_body(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, account: tuple[str, str],
    path: str, auth: object, store: str | None, body: bytes, status: int, code: int,
) -> None:  # fmt: skip
    used = account if auth == "right" else auth
    async with httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL) as anybody:
        answer = await anybody.post(
            path.format(store=store or store_id),
            content=body,
            headers={"Content-Type": "application/json"},
            auth=used,  # type: ignore[arg-type]
        )
    assert _is_contract_body(answer, status, code), answer.text
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


async def test_a_key_for_lookups_may_do_nothing_else(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, database: Database, account: tuple[str, str]
) -> None:
    key = (new_key_sid(), new_secret())
    async with database.transaction() as connection:
        account_id = await account_of(connection, account[0])
        assert account_id is not None
        await add_key(connection, account_id, Credentials(key[0], digest(key[1])), scope="lookup", name="")
    transport = ConformingTransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, auth=key) as limited:
        operation_path = (await client.post("/v1/ControlPlane/Stores", json={"displayName": "other"})).json()[
            "statusUrl"
        ]
        looked_up = await limited.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json={"idType": "chat", "value": "c"})
        assert looked_up.status_code == 200
        for method, path in (
            ("POST", f"/v1/Stores/{store_id}/Profiles"),
            ("POST", "/v1/ControlPlane/Stores"),
            ("GET", operation_path),
        ):
            answer = await limited.request(method, path, content=b"{")
            assert _is_contract_body(answer, 403, 403), answer.text
        absent = await limited.post(f"/v1/Stores/{ABSENT_STORE}/Profiles", content=b"{")
        assert _is_contract_body(absent, 404, 520041)
        malformed = await limited.get("/v1/ControlPlane/Operations/nonsense")
        assert _is_contract_body(malformed, 400, 520051)


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic !", "Basic eA==", "Bearer eDp5", "Basic /zo=", "basic eDp5", "Basic \xe9", "Basic AHg6eQ=="],
)
async def test_malformed_credentials_are_wrong_credentials(app: FastAPI, header: str) -> None:
    async with httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL) as anybody:
        answer = await anybody.post(
            f"/v1/Stores/{ABSENT_STORE}/Profiles/Lookup", headers=[(b"Authorization", header.encode("latin-1"))]
        )
    assert _is_contract_body(answer, 401, 20003)


async def test_over_one_connection_each_request_is_judged_by_its_own_credentials(
    served: str, account: tuple[str, str]
) -> None:
    sid, token = account
    others = [(sid, token[::-1]), ("SKnobody", token), (sid, "x" * 1000), None]
    async with httpx.AsyncClient(base_url=served, limits=httpx.Limits(max_connections=1)) as client:
        client.auth = account
        store_id = await make_store(client)
        for other in others:
            for presented, status in ((account, 200), (account, 200), (other, 401), (other, 401)):
                client.auth = presented  # type: ignore[assignment]
                asked = {"idType": "chat", "value": "c-1"}
                answer = await client.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json=asked)
                assert answer.status_code == status


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing/here", 404, 20404),
        ("GET", f"/v1/Stores/{ABSENT_STORE}/Profiles/Lookup/", 404, 20404),
        ("DELETE", "/v1/ControlPlane/Stores", 405, 20405),
    ],
)
async def test_the_frameworks_own_errors_have_the_contracts_body(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: int
) -> None:
    answer = await client.request(method, path)
    assert _is_contract_body(answer, status, code)
    assert ("Allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_to_ask_for_the_heads_of_a_page_is_no_wrong_method(served: str, path: str) -> None:
    got, head = httpx.get(served + path), httpx.head(served + path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    for name in ("Content-Type", "Content-Length", "Location"):
        assert head.headers.get(name) == got.headers.get(name)


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_that_is_not_json_is_a_wrong_media_type(
    client: httpx.AsyncClient, store_id: str, media_type: str
) -> None:
    answer = await client.post(
        f"/v1/Stores/{store_id}/Profiles/Lookup",
        content=b'{"idType":"phone","value":"+13175551234"}',
        headers={"Content-Type": media_type},
    )
    assert _is_contract_body(answer, 415, 20415)


async def test_a_body_that_announces_too_much_is_refused_before_it_is_sent(
    app: FastAPI, client: httpx.AsyncClient, store_id: str
) -> None:
    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        pytest.fail("the service asked for more")

    answer = await client.post(
        f"/v1/Stores/{store_id}/Profiles/Lookup",
        content=never(),
        headers={"Content-Type": "application/json", "Content-Length": str(USUAL_LIMITS.size + 1)},
    )
    assert _is_contract_body(answer, 413, 20413)


@pytest.mark.parametrize(
    "sent",
    [
        b"+13175551234\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: +13175551234\r\n\r\n",
        b"GET /\xff+13175551234 HTTP/1.1\r\n\r\n",
        b"POST /v1/ControlPlane/Stores HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n+13175551234\r\n",
    ],
)
def test_what_is_not_even_http_has_the_contracts_body_and_is_not_repeated(
    served: str, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    address = urlsplit(served)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(sent)
        read = HTTPResponse(connection)
        read.begin()
        answer = httpx.Response(read.status, headers=read.getheaders(), content=read.read())
        assert connection.recv(1) == b""  # the connection ends: where the next request begins, nobody knows
    assert _is_contract_body(answer, 400, 520046), answer.text
    assert "Date" in answer.headers
    assert "3175551234" not in str(answer.headers) + answer.text + caplog.text


async def test_a_field_whose_name_may_be_a_value_is_not_repeated(client: httpx.AsyncClient, store_id: str) -> None:
    answer = await client.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json={"+13175551234": 1, "vlaue": 2})
    assert answer.status_code == 400
    assert "vlaue" in answer.json()["message"]
    assert "13175551234" not in answer.text


async def test_names_are_those_of_the_contract_and_no_others(client: httpx.AsyncClient, store_id: str) -> None:
    for path, body in (
        (f"/v1/Stores/{store_id}/Profiles/Lookup", {"id_type": "chat", "value": "c"}),
        ("/v1/ControlPlane/Stores", {"display_name": "other"}),
    ):
        assert (await client.post(path, json=body)).status_code == 400


async def test_a_database_that_is_away_is_said_to_be() -> None:
    app = create_app(load_settings(database_url="postgresql://nobody@127.0.0.1:1/nothing"))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL, auth=WRONG) as anybody,
    ):
        for method, path in (
            ("POST", f"/v1/Stores/{ABSENT_STORE}/Profiles/Lookup"),
            ("POST", f"/v1/Stores/{ABSENT_STORE}/Profiles"),
            ("GET", "/readyz"),
        ):
            answer = await anybody.request(method, path, json={"idType": "phone", "value": "+13175551234"})
            assert _is_contract_body(answer, 503, 20503)
            assert answer.headers["Retry-After"].isdecimal()
        assert (await anybody.get("/healthz")).json() == {"status": "ok"}


def test_every_domain_error_has_a_status_and_a_code() -> None:
    def kinds(kind: type[errors.ProfileLookupError]) -> set[type[errors.ProfileLookupError]]:
        return {kind}.union(*map(kinds, kind.__subclasses__()))

    # Of a kind with others below it, only these are raised; a merged profile is answered with a redirect.
    raised = {kind for kind in kinds(errors.ProfileLookupError) if not kind.__subclasses__()} - {errors.ProfileMoved}
    for kind in raised | {errors.RequestRefused, errors.TraitsRefused, errors.Unavailable}:
        assert any(ancestor in STATUS_AND_CODE for ancestor in kind.__mro__), kind


async def test_a_message_names_the_field_as_the_client_does(client: httpx.AsyncClient, store_id: str) -> None:
    for path, body, said in (
        ("/v1/ControlPlane/Stores", {"displayName": "ok", "description": ""}, "description: String should"),
        (
            f"/v1/ControlPlane/Stores/{store_id}/TraitGroups",
            {"displayName": "G", "traits": {"t": {"dataType": "NUMBER", "description": 1}}},
            "traits.t.description: Input should be a valid string",
        ),
        (f"/v1/Stores/{store_id}/Profiles", {"traits": 1}, "traits: Input should be a valid dictionary"),
    ):
        answer = await client.post(path, json=body)
        assert answer.status_code == 400
        assert answer.json()["message"].startswith(said)
        assert ";" not in answer.json()["message"]  # one mistake, told once
