"""Uploads by way of S3, where a bucket is configured: a pre-signed address, and what has come there.

The bucket is a letter box: a worker takes the file out of it, into the database, and from then on an import is like any
other. boto3 is synchronous, so each call has a thread.
"""

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import cached_property
from typing import Any, BinaryIO
from uuid import UUID

from profile_lookup.errors import FileRefused, Unavailable
from profile_lookup.settings import Settings
from profile_lookup.web import ids

LOOK, LONGEST_LOOK = timedelta(seconds=2), timedelta(minutes=1)
"""Between looks whether a file has come: nobody tells us."""

_CHUNK = 1 << 20  # bytes


class Bucket:
    """Credentials are where boto3 looks for them: its environment variables, its files, the machine's role."""

    def __init__(self, name: str, endpoint_url: str | None, region: str | None) -> None:
        self._name = name
        self._endpoint_url = endpoint_url
        self._region = region

    async def upload_url(self, store_id: UUID, import_id: UUID, file_size: int, seconds: int) -> str:
        """Good for PUTs of exactly so many bytes. Raises `Unavailable` without credentials to sign it with."""
        return await asyncio.to_thread(self._upload_url, _key(store_id, import_id), file_size, seconds)

    async def take(self, store_id: UUID, import_id: UUID, file_size: int, file: BinaryIO) -> bool:
        """Copy what was uploaded into the file; False if nothing was. Raises `FileRefused` or `Unavailable`."""
        return await asyncio.to_thread(self._take, _key(store_id, import_id), file_size, file)

    async def remove(self, store_id: UUID, import_id: UUID) -> None:
        """What was uploaded, if anything. Raises `Unavailable`."""
        await asyncio.to_thread(self._remove, _key(store_id, import_id))

    def _upload_url(self, key: str, file_size: int, seconds: int) -> str:
        what = {"Bucket": self._name, "Key": key, "ContentLength": file_size}
        with _telling_when_unavailable():
            url = self._client.generate_presigned_url("put_object", Params=what, ExpiresIn=seconds)
        assert isinstance(url, str)
        return url

    def _take(self, key: str, file_size: int, file: BinaryIO) -> bool:
        with _telling_when_unavailable():
            try:
                found = self._client.get_object(Bucket=self._name, Key=key)
            except self._client.exceptions.NoSuchKey:
                return False
            with closing(found["Body"]) as body:
                if found["ContentLength"] != file_size:
                    raise FileRefused(f"expected as many bytes as fileSize says, {file_size}")
                file.writelines(body.iter_chunks(_CHUNK))
        return True

    def _remove(self, key: str) -> None:
        with _telling_when_unavailable():
            self._client.delete_object(Bucket=self._name, Key=key)

    @cached_property
    def _client(self) -> Any:
        """Made when it is first needed: that takes some tenths of a second."""
        import boto3  # noqa: PLC0415 -- only there with the extra
        from botocore.config import Config  # noqa: PLC0415

        config = Config(
            signature_version="s3v4",  # which signs Content-Length as well
            request_checksum_calculation="when_required",  # whoever has the address sends the file and nothing else
            s3={"addressing_style": "auto" if self._endpoint_url is None else "path"},
        )
        return boto3.client("s3", endpoint_url=self._endpoint_url, region_name=self._region, config=config)


@contextmanager
def _telling_when_unavailable() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- only there with the extra

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Unavailable("S3 did not answer as expected") from error


def next_look(age: timedelta) -> timedelta:
    """How long to wait for it: the longer it has not come, or those that never come would take up the workers."""
    return min(max(LOOK, age / 10), LONGEST_LOOK)


def bucket_of(settings: Settings) -> Bucket | None:
    """None: uploads come to this service itself."""
    if settings.s3_bucket is None:
        return None
    return Bucket(settings.s3_bucket, settings.s3_endpoint_url, settings.s3_region)


def _key(store_id: UUID, import_id: UUID) -> str:
    return f"{ids.store_id(store_id)}/{ids.import_id(import_id)}.csv"
