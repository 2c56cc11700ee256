"""Every error answer has the same form, and the order of the checks decides which error is answered."""

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
from profile_lookup.accounts.grants import Grant
from profile_lookup.accounts.keys import add_key
from profile_lookup.accounts.queries import account_of
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
async def test_the_order_of_checks_is_credentials_ids_store_body(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, account: tuple[str, str],
    path: str, auth: object, store: str | None, body: bytes, status: int, code: int,
) -> None:  # fmt: skip
    used = account if auth == "right" else auth
    async with httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL) as anonymous:
        answer = await anonymous.post(
            path.format(store=store or store_id),
            content=body,
            headers={"Content-Type": "application/json"},
            auth=used,  # type: ignore[arg-type]
        )
    assert _is_contract_body(answer, status, code), answer.text
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


async def test_a_lookup_key_may_do_nothing_else(
    app: FastAPI, client: httpx.AsyncClient, store_id: str, database: Database, account: tuple[str, str]
) -> None:
    key = (new_key_sid(), new_secret())
    async with database.transaction() as connection:
        account_id = await account_of(connection, account[0])
        assert account_id is not None
        await add_key(
            connection, account_id, Credentials(key[0], digest(key[1])), name="", grant=Grant(frozenset({"lookup"}))
        )
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
async def test_malformed_credentials_are_answered_like_wrong_ones(app: FastAPI, header: str) -> None:
    async with httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL) as anonymous:
        answer = await anonymous.post(
            f"/v1/Stores/{ABSENT_STORE}/Profiles/Lookup", headers=[(b"Authorization", header.encode("latin-1"))]
        )
    assert _is_contract_body(answer, 401, 20003)


async def test_each_request_of_a_connection_is_checked_by_its_own_credentials(
    service_url: str, account: tuple[str, str]
) -> None:
    sid, token = account
    others = [(sid, token[::-1]), ("SKnobody", token), (sid, "x" * 1000), None]
    async with httpx.AsyncClient(base_url=service_url, limits=httpx.Limits(max_connections=1)) as client:
        client.auth = account
        store_id = await make_store(client)
        for other in others:
            for presented, status in ((account, 200), (account, 200), (other, 401), (other, 401)):
                client.auth = presented  # type: ignore[assignment]
                body = {"idType": "chat", "value": "c-1"}
                answer = await client.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json=body)
                assert answer.status_code == status


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing/here", 404, 20404),
        ("GET", f"/v1/Stores/{ABSENT_STORE}/Profiles/Lookup/", 404, 20404),
        ("DELETE", "/v1/ControlPlane/Stores", 405, 20405),
    ],
)
async def test_errors_of_the_framework_have_the_form_of_the_contract(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: int
) -> None:
    answer = await client.request(method, path)
    assert _is_contract_body(answer, status, code)
    assert ("Allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_head_requests_to_pages_are_answered_like_get(service_url: str, path: str) -> None:
    got, head = httpx.get(service_url + path), httpx.head(service_url + path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    for name in ("Content-Type", "Content-Length", "Location"):
        assert head.headers.get(name) == got.headers.get(name)


@pytest.mark.parametrize("path", ["/v1/Stores/{store}/Profiles/Lookup", "/v1/ControlPlane/Stores"])
@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", None])
async def test_another_media_type_than_json_is_refused(
    client: httpx.AsyncClient, store_id: str, path: str, media_type: str | None
) -> None:
    answer = await client.post(
        path.format(store=store_id),
        content=b'{"idType":"phone","value":"+13175551234"}',
        headers={} if media_type is None else {"Content-Type": media_type},
    )
    assert _is_contract_body(answer, 415, 20415)


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/Stores/{store}/Profiles/Lookup", 200), ("/v1/ControlPlane/Stores", 202)]
)
async def test_a_body_may_come_without_its_length(
    client: httpx.AsyncClient, store_id: str, path: str, status: int
) -> None:
    body = b'{"idType":"phone","value":"+13175551234"}' if status == 200 else b'{"displayName":"in-chunks"}'

    async def chunks() -> AsyncIterator[bytes]:
        yield body[:5]
        yield body[5:]

    answer = await client.post(
        path.format(store=store_id), content=chunks(), headers={"Content-Type": "application/json"}
    )
    assert "Content-Length" not in answer.request.headers
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    "sent",
    [
        b"+13175551234\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: +13175551234\r\n\r\n",
        b"GET /\xff+13175551234 HTTP/1.1\r\n\r\n",
        b"POST /v1/ControlPlane/Stores HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n+13175551234\r\n",
    ],
)
def test_invalid_http_is_answered_in_the_form_of_the_contract_and_not_repeated(
    service_url: str, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    address = urlsplit(service_url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(sent)
        read = HTTPResponse(connection)
        read.begin()
        answer = httpx.Response(read.status, headers=read.getheaders(), content=read.read())
        assert (
            connection.recv(1) == b""
        )  # the service closes the connection, because it cannot know where the next request begins
    assert _is_contract_body(answer, 400, 520046), answer.text
    assert "Date" in answer.headers
    assert "3175551234" not in str(answer.headers) + answer.text + caplog.text


async def test_a_field_name_that_may_be_a_value_is_not_repeated(client: httpx.AsyncClient, store_id: str) -> None:
    answer = await client.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json={"+13175551234": 1, "vlaue": 2})
    assert answer.status_code == 400
    assert "vlaue" in answer.json()["message"]
    assert "13175551234" not in answer.text


async def test_only_the_field_names_of_the_contract_are_accepted(client: httpx.AsyncClient, store_id: str) -> None:
    for path, body in (
        (f"/v1/Stores/{store_id}/Profiles/Lookup", {"id_type": "chat", "value": "c"}),
        ("/v1/ControlPlane/Stores", {"display_name": "other"}),
    ):
        assert (await client.post(path, json=body)).status_code == 400


async def test_an_unavailable_database_is_answered_with_503() -> None:
    app = create_app(load_settings(database_url="postgresql://nobody@127.0.0.1:1/nothing"))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL, auth=WRONG) as anonymous,
    ):
        for method, path in (
            ("POST", f"/v1/Stores/{ABSENT_STORE}/Profiles/Lookup"),
            ("POST", f"/v1/Stores/{ABSENT_STORE}/Profiles"),
            ("GET", "/readyz"),
        ):
            answer = await anonymous.request(method, path, json={"idType": "phone", "value": "+13175551234"})
            assert _is_contract_body(answer, 503, 20503)
            assert answer.headers["Retry-After"].isdecimal()
        assert (await anonymous.get("/healthz")).json() == {"status": "ok"}


def test_every_domain_error_has_a_status_and_a_code() -> None:
    def kinds(kind: type[errors.ProfileLookupError]) -> set[type[errors.ProfileLookupError]]:
        return {kind}.union(*map(kinds, kind.__subclasses__()))

    # Only classes without subclasses are raised. A merged profile is answered with a redirect.
    raised = {kind for kind in kinds(errors.ProfileLookupError) if not kind.__subclasses__()} - {errors.ProfileMoved}
    for kind in raised | {errors.RequestRefused, errors.TraitsRefused, errors.Unavailable}:
        assert any(ancestor in STATUS_AND_CODE for ancestor in kind.__mro__), kind


async def test_a_message_names_the_field_as_in_the_request(client: httpx.AsyncClient, store_id: str) -> None:
    for path, body, message in (
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
        assert answer.json()["message"].startswith(message)
        assert ";" not in answer.json()["message"]  # only one mistake is reported
