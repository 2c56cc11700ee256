"""PUT to the signed URL of an import: it accepts one upload, of exactly the announced size."""

import asyncio
import base64
import json
import os
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.settings import Settings
from tests.conftest import PATIENCE, WAITING, make_store
from tests.database.contents import contents
from tests.imports.conftest import create, ended, path_of, upload
from tests.imports.test_imports import PEOPLE

CONTENT = PEOPLE.encode()
UPLOAD_MIB = int(os.environ.get("UPLOAD_MIB", "2"))


async def _state(client: httpx.AsyncClient, store_id: str, created: dict[str, Any]) -> str:
    state: str = (await client.get(path_of(store_id, created))).json()["status"]
    return state


async def test_the_url_is_on_this_service_and_needs_only_its_signature(
    client: httpx.AsyncClient, store_id: str
) -> None:
    created = await create(client, store_id, len(CONTENT))
    address, _, token = created["url"].rpartition("/")
    assert address == "http://service.test/v1/Uploads"
    assert len(created["url"]) < 300
    payload = base64.urlsafe_b64encode(json.dumps(["0" * 32, "0" * 32]).encode()).decode().rstrip("=")
    for wrong in (token[:-1], token + "x", f"x{token}", f"{payload}.{token.rpartition('.')[2]}", "x", "a.b.c", "%00"):
        refused = await upload(client, f"{address}/{wrong}", CONTENT)
        assert (refused.status_code, refused.json()["code"]) == (403, 403)
    assert await _state(client, store_id, created) == "PENDING"
    done = await upload(client, created["url"], CONTENT)
    assert (done.status_code, done.content) == (200, b"")
    assert (await ended(client, store_id, created))["status"] == "COMPLETED"


async def test_a_page_token_does_not_permit_an_upload(client: httpx.AsyncClient, store_id: str) -> None:
    for _ in range(2):
        await create(client, store_id, 1)
    listed = await client.get(f"/v1/Stores/{store_id}/Profiles/Imports", params={"pageSize": 1})
    assert (await upload(client, f"/v1/Uploads/{listed.json()['meta']['nextToken']}", b"x")).status_code == 403


async def test_an_expired_url_is_refused(client: httpx.AsyncClient, store_id: str, database: Database) -> None:
    created = await create(client, store_id, len(CONTENT))
    async with database.transaction() as connection:
        await connection.execute(text("update profile_import set upload_until = now()"))
    assert (await upload(client, created["url"], CONTENT)).status_code == 403


async def test_a_second_upload_is_a_conflict_even_after_the_import_has_ended(
    client: httpx.AsyncClient, store_id: str
) -> None:
    created = await create(client, store_id, len(CONTENT))
    answers = await asyncio.gather(*[upload(client, created["url"], CONTENT) for _ in range(4)])
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert (await ended(client, store_id, created))["progress"]["rowsDone"] == 2
    assert (await upload(client, created["url"], CONTENT)).json()["code"] == 20409


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize(("size", "status"), [(len(CONTENT) - 1, 400), (len(CONTENT) + 1, 413), (0, 400)])
async def test_a_file_of_another_size_than_announced_changes_nothing(
    client: httpx.AsyncClient, store_id: str, database: Database, size: int, status: int, is_chunked: bool
) -> None:
    created = await create(client, store_id, len(CONTENT))
    content = (CONTENT + b"x")[:size]

    async def chunks() -> AsyncIterator[bytes]:
        for byte in content:
            yield bytes([byte])

    refused = await client.put(created["url"], content=chunks() if is_chunked else content)
    assert refused.status_code == status
    assert await _state(client, store_id, created) == "PENDING"
    assert (await contents(database))["operation_piece"] == []
    assert (await upload(client, created["url"], CONTENT)).status_code == 200


async def test_an_encoded_file_is_refused_and_the_url_stays_valid(client: httpx.AsyncClient, store_id: str) -> None:
    created = await create(client, store_id, len(CONTENT))
    refused = await client.put(created["url"], content=CONTENT, headers={"Content-Encoding": "gzip"})
    assert (refused.status_code, refused.headers["Accept-Encoding"]) == (415, "identity")
    assert (await upload(client, created["url"], CONTENT)).status_code == 200


async def test_a_full_disk_is_a_503_and_the_url_stays_valid(client: httpx.AsyncClient, store_id: str) -> None:
    created = await create(client, store_id, len(CONTENT))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(CONTENT) - 1, limits[1]))  # no file may be larger
    try:
        refused = await upload(client, created["url"], CONTENT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert "no room for the file" in refused.json()["message"]
    assert (await upload(client, created["url"], CONTENT)).status_code == 200


@pytest.mark.usefixtures("own_database_url")  # and with it, a data directory of its own
async def test_an_upload_directory_that_cannot_be_used_is_a_defect_of_the_installation(
    client: httpx.AsyncClient, store_id: str, settings: Settings
) -> None:
    created = await create(client, store_id, len(CONTENT))
    settings.upload_directory.write_text("no directory")
    refused = await upload(client, created["url"], CONTENT)
    assert (refused.status_code, refused.json()["code"]) == (500, 20500)
    assert refused.headers["X-Request-Id"]
    settings.upload_directory.unlink()
    assert (await upload(client, created["url"], CONTENT)).status_code == 200


async def test_waiting_uploads_leave_connections_for_others(
    client: httpx.AsyncClient, store_id: str, database: Database, settings: Settings
) -> None:
    created = await create(client, store_id, len(CONTENT))
    turns = settings.pool_size // 8
    async with database.transaction() as connection:
        await connection.execute(text("select from operation where completed_at is null for update"))
        uploads = [asyncio.create_task(upload(client, created["url"], CONTENT)) for _ in range(settings.pool_size)]
        async with asyncio.timeout(PATIENCE):
            while await connection.scalar(text(WAITING)) < turns:
                await asyncio.sleep(0.01)
        assert (await client.get(f"/v1/Stores/{store_id}/Profiles")).status_code == 200
        assert await connection.scalar(text(WAITING)) == turns
    statuses = [answer.status_code for answer in await asyncio.gather(*uploads)]
    assert sorted(statuses) == [200] + [409] * (settings.pool_size - 1)


@pytest.fixture
async def tcp_client(service_url: str, synchronous_account: tuple[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=service_url, auth=synchronous_account, timeout=PATIENCE) as opened:
        yield opened


@asynccontextmanager
async def _announce_upload(url: str, size: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection and announce an upload of `size` bytes with `Expect: 100-continue`."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = f"PUT {parts.path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {size}\r\n\r\n"
    writer.write(head.encode())
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_byte_more_than_100_mib_is_refused_before_the_body_is_read(tcp_client: httpx.AsyncClient) -> None:
    store_id = await make_store(tcp_client)
    created = await create(tcp_client, store_id, 100 << 20)
    async with _announce_upload(created["url"], (100 << 20) + 1) as (reader, _):
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")


async def test_a_large_file_can_be_uploaded_again_after_a_broken_connection(
    tcp_client: httpx.AsyncClient, settings: Settings
) -> None:
    """`UPLOAD_MIB=100` sends the largest file. Nothing of the file is left on the disk or in the database."""
    line = f"{'ä' * 50_000},%d@example.com,,\n"
    rows = (UPLOAD_MIB << 20) // (len(line.encode()) + 10)
    content = ("x,E-mail,Phone,First\n" + "".join([line % number for number in range(rows)])).encode()
    content += b"\n" * ((UPLOAD_MIB << 20) - len(content))
    store_id = await make_store(tcp_client)
    created = await create(tcp_client, store_id, len(content))
    async with _announce_upload(created["url"], len(content)) as (reader, writer):
        assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        writer.write(content[: len(content) // 2])
        await writer.drain()
    assert await _state(tcp_client, store_id, created) == "PENDING"
    assert (await upload(tcp_client, created["url"], content)).status_code == 200
    answer = await ended(tcp_client, store_id, created)
    assert (answer["status"], answer["progress"]["created"]) == ("COMPLETED", rows)
    assert list(settings.upload_directory.iterdir()) == []
    assert settings.database_url is not None
    database = Database(settings.database_url.get_secret_value(), pool_size=1)
    assert (await contents(database))["operation_piece"] == []
    await database.close()
