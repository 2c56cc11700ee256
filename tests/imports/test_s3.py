"""Imports by way of S3. The server is that of moto, over HTTP; it does not verify signatures."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.imports.s3 import next_poll
from profile_lookup.settings import Settings, SettingsError, load_settings
from tests.conftest import PATIENCE
from tests.database.contents import contents
from tests.imports.conftest import create, ended, mappings, path_of
from tests.imports.test_imports import PEOPLE

CONTENT = PEOPLE.encode()
BUCKET = "letter-box"


@pytest.fixture(scope="module")
def endpoint_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    client = boto3.client("s3", endpoint_url=endpoint_url, region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def settings(settings: Settings, endpoint_url: str, s3: Any) -> Settings:
    return settings.model_copy(
        update={"s3_bucket": BUCKET, "s3_endpoint_url": endpoint_url, "s3_region": "us-east-1", "upload_seconds": 900}
    )


def test_the_bucket_is_checked_less_often_as_time_passes() -> None:
    looks = [next_poll(timedelta(seconds=age)).total_seconds() for age in (-1, 0, 30, 3600)]
    assert looks == [2, 2, 3, 60]


def _keys(s3: Any) -> list[str]:
    return [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]


async def _put(url: str, content: bytes) -> int:
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        return (await client.put(url, content=content)).status_code


async def test_a_file_in_the_bucket_is_imported_and_deleted_there(
    client: httpx.AsyncClient, store_id: str, database: Database, endpoint_url: str, s3: Any
) -> None:
    created = await create(client, store_id, len(CONTENT))
    parts = urlsplit(created["url"])
    assert f"{parts.scheme}://{parts.netloc}" == endpoint_url
    assert parts.path == f"/{BUCKET}/{store_id}/{created['importId']}.csv"
    assert len(created["url"]) <= 2048
    query = {name: value for name, (value,) in parse_qs(parts.query).items()}
    assert (query["X-Amz-Expires"], query["X-Amz-SignedHeaders"]) == ("900", "content-length;host")
    await _look_for_file(database)  # there is no file yet
    assert (await client.get(path_of(store_id, created))).json()["status"] == "PENDING"
    assert await _put(created["url"], CONTENT) == 200
    assert _keys(s3) == [f"{store_id}/{created['importId']}.csv"]
    await _look_for_file(database)
    answer = await ended(client, store_id, created)
    assert (answer["status"], answer["progress"]["created"]) == ("COMPLETED", 2)
    assert _keys(s3) == []
    assert (await contents(database))["operation_piece"] == []


async def test_a_file_of_another_size_fails_the_import_and_is_deleted(
    client: httpx.AsyncClient, store_id: str, database: Database, s3: Any
) -> None:
    created = await create(client, store_id, len(CONTENT) + 1)
    assert await _put(created["url"], CONTENT) == 200
    await _look_for_file(database)
    answer = await ended(client, store_id, created)
    assert answer["status"] == "FAILED"
    assert answer["error"]["detail"] == f"file: expected as many bytes as fileSize says, {len(CONTENT) + 1}"
    assert _keys(s3) == []


async def test_an_import_fails_if_its_file_is_not_in_the_bucket_in_time(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    created = await create(client, store_id, len(CONTENT))
    async with database.transaction() as connection:
        await connection.execute(text("update profile_import set upload_until = now()"))
    await _look_for_file(database)
    answer = await ended(client, store_id, created)
    assert (answer["status"], answer["error"]["detail"]) == (
        "FAILED",
        "file: expected an upload before the url expired",
    )


async def test_an_unavailable_bucket_is_retried_later(
    client: httpx.AsyncClient, store_id: str, database: Database, s3: Any
) -> None:
    created = await create(client, store_id, len(CONTENT))
    s3.delete_bucket(Bucket=BUCKET)
    await _look_for_file(database)
    operation = (await client.get(created["statusUrl"])).json()
    assert operation["status"] == "RUNNING"  # it will be tried again
    assert (await client.get(path_of(store_id, created))).json()["status"] == "PENDING"


def test_a_missing_s3_library_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profile_lookup.setting_types.find_spec", lambda _name: None)
    with pytest.raises(SettingsError, match=r"^PROFILE_LOOKUP_S3_BUCKET: expected boto3 .* profile-lookup\[s3\]$"):
        load_settings(s3_bucket="x")


async def _look_for_file(database: Database) -> None:
    """Make the worker look for the file now instead of after some seconds, and wait until it has."""
    async with database.transaction() as connection:
        await connection.execute(
            text("update operation set ready_at = now(), waits_until = null where completed_at is null")
        )
        await connection.execute(text("update operation_turn set ready_at = now()"))
    async with asyncio.timeout(PATIENCE), database.statements() as connection:
        while await connection.scalar(text(
            "select count(*) from operation where completed_at is null and waits_until is null"
            " and (lease is not null or ready_at < clock_timestamp())"
        )):  # fmt: skip
            await asyncio.sleep(0.02)


async def test_an_import_is_refused_if_there_are_no_credentials_to_sign_its_url(
    client: httpx.AsyncClient, store_id: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # the session caches the credentials
    body = {"filename": "people.csv", "fileSize": 1, "columnMappings": mappings()}
    refused = await client.post(f"/v1/Stores/{store_id}/Profiles/Imports", json=body)
    assert (refused.status_code, refused.json()["code"]) == (503, 20503)
    assert (await contents(database))["profile_import"] == []
