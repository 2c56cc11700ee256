"""`more_info` of every error leads to a page of the service that explains the code."""

import socket

import httpx
import pytest
from fastapi import FastAPI

from profile_lookup.settings import Settings, load_settings
from profile_lookup.web.contract import STATUS_OF_CODE
from profile_lookup.web.docs.explanations import EXPLANATIONS
from tests.conftest import BASE_URL, finished
from tests.contract.conforming import ConformingTransport
from tests.running_service import app_with_worker

ABSENT_STORE = "mem_store_00000000000000000000000000"
LOOKUP = f"/v1/Stores/{ABSENT_STORE}/Profiles/Lookup"
REFUSED = [
    ("POST", LOOKUP, 401, 20003),  # a hot route
    ("GET", "/v1/ControlPlane/Stores", 401, 20003),
    ("GET", "/v1/nothing", 404, 20404),
    ("DELETE", "/v1/ControlPlane/Stores", 405, 20405),
    ("GET", "/docs/errors/1", 404, 20404),
]


@pytest.mark.parametrize(("method", "path", "status", "code"), REFUSED)
async def test_more_info_leads_to_the_page_that_explains_the_code(
    app: FastAPI, method: str, path: str, status: int, code: int
) -> None:
    async with httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL) as anonymous:
        answer = await anonymous.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.json()["more_info"] == f"{BASE_URL}/docs/errors/{code}"
        page = await anonymous.get(answer.json()["more_info"])
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert f"<h1>{code}: {EXPLANATIONS[code].title}</h1>" in page.text


def test_every_code_is_explained() -> None:
    assert STATUS_OF_CODE.keys() - EXPLANATIONS.keys() == set()


async def test_the_list_of_codes_links_the_page_of_each(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/docs/errors")).text
    for code in STATUS_OF_CODE:
        assert f'href="errors/{code}"' in listed
        assert (await client.get(f"/docs/errors/{code}")).status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/docs/guides", "/docs/errors", "/docs/errors/520041"])
async def test_pages_forbid_whatever_does_not_come_from_the_service(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    for inline in ("<style", " style=", "<script>", "https://", "//cdn"):
        assert inline not in page.text


@pytest.mark.parametrize(("method", "path", "status", "code"), REFUSED)
@pytest.mark.parametrize(
    ("configured", "pages"),
    [
        ({"public_url": "https://identity.example/api/"}, "https://identity.example/api/docs/errors"),
        ({"error_docs": "twilio", "public_url": "https://a.example"}, "https://www.twilio.com/docs/api/errors"),
        ({"trusted_proxies": "127.0.0.1"}, "https://service.test/docs/errors"),
        ({"trusted_proxies": "10.0.0.0/8"}, "http://service.test/docs/errors"),
    ],
)
async def test_more_info_has_the_address_by_which_clients_reach_the_pages(
    settings: Settings, configured: dict[str, str], pages: str, method: str, path: str, status: int, code: int
) -> None:
    app = app_with_worker(load_settings(database_url=settings.database_url, run_operations=False, **configured))
    headers = {"X-Forwarded-Proto": "https"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL, headers=headers) as anonymous,
    ):
        answer = await anonymous.request(method, path)
    assert answer.json()["more_info"] == f"{pages}/{code}"


@pytest.mark.parametrize("path", [LOOKUP, "/v1/ControlPlane/Stores"])
async def test_more_info_is_only_a_path_if_the_host_is_too_long_to_repeat(app: FastAPI, path: str) -> None:
    async with httpx.AsyncClient(transport=ConformingTransport(app), base_url=BASE_URL) as anonymous:
        answer = await anonymous.post(path, headers={"Host": "x" * 1000})
    assert answer.json()["more_info"] == "/docs/errors/20003"


async def test_a_failed_item_and_a_failed_operation_lead_to_the_pages_too(
    client: httpx.AsyncClient, store_id: str
) -> None:
    accepted = await client.put(f"/v1/Stores/{store_id}/Profiles/Bulk", json={"profiles": [{"traits": {}}]})
    operation = await finished(client, accepted)
    (result,) = (await client.get(operation["resultUrl"])).json()["results"]
    assert result["error"]["more_info"] == f"{BASE_URL}/docs/errors/{result['error']['code']}"

    path = f"/v1/Stores/{store_id}/Profiles/Imports"
    mappings = [{"columnName": name, "traitGroup": "Contact", "traitName": name} for name in ("phone", "email")]
    body = {"filename": "people.csv", "fileSize": 8, "columnMappings": mappings}
    created = await client.post(path, json=body)
    await client.put(created.json()["url"], content=b"a,b\n1,2\n")
    operation = await finished(client, httpx.Response(202, headers={"Location": created.json()["statusUrl"]}))
    assert operation["status"] == "FAILED"
    assert operation["error"]["type"] == f"{BASE_URL}/docs/errors/{operation['error']['code']}"
    imported = (await client.get(f"{path}/{created.json()['importId']}")).json()
    assert imported["error"] == operation["error"]


def test_invalid_http_is_answered_with_the_address_of_the_connection(service_url: str) -> None:
    host, _, port = service_url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert f'"more_info":"{service_url}/docs/errors/520046"'.encode() in answer
