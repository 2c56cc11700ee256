"""Uploads through S3, if a bucket is configured: the pre-signed address, and the file that was uploaded to it.

The bucket is a letter box: a worker moves the file from it into the database, and from then on the import is like any
other. boto3 is synchronous, so each call runs in a thread.
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

SHORTEST_POLL, LONGEST_POLL = timedelta(seconds=2), timedelta(minutes=1)
"""Between two checks whether the file was uploaded, since S3 does not notify us."""

_READ_SIZE = 1 << 20  # bytes


class Bucket:
    """A bucket of S3. boto3 finds the credentials: in its environment variables, its files, or the machine's role."""

    def __init__(self, name: str, endpoint_url: str | None, region: str | None) -> None:
        self._name = name
        self._endpoint_url = endpoint_url
        self._region = region

    async def upload_url(self, store_id: UUID, import_id: UUID, file_size: int, seconds: int) -> str:
        """Return an address for PUTs of exactly `file_size` bytes. Raises `Unavailable` if there are no credentials."""
        return await asyncio.to_thread(self._upload_url, _key(store_id, import_id), file_size, seconds)

    async def download(self, store_id: UUID, import_id: UUID, file_size: int, file: BinaryIO) -> bool:
        """Copy the uploaded object to the file, or return False if there is none.

        Raises `FileRefused` or `Unavailable`.
        """
        return await asyncio.to_thread(self._download, _key(store_id, import_id), file_size, file)

    async def remove(self, store_id: UUID, import_id: UUID) -> None:
        """Delete the uploaded object, if there is one. Raises `Unavailable`."""
        await asyncio.to_thread(self._remove, _key(store_id, import_id))

    def _upload_url(self, key: str, file_size: int, seconds: int) -> str:
        parameters = {"Bucket": self._name, "Key": key, "ContentLength": file_size}
        with _raising_unavailable():
            url = self._client.generate_presigned_url("put_object", Params=parameters, ExpiresIn=seconds)
        assert isinstance(url, str)
        return url

    def _download(self, key: str, file_size: int, file: BinaryIO) -> bool:
        with _raising_unavailable():
            try:
                found = self._client.get_object(Bucket=self._name, Key=key)
            except self._client.exceptions.NoSuchKey:
                return False
            with closing(found["Body"]) as body:
                if found["ContentLength"] != file_size:
                    raise FileRefused(f"expected as many bytes as fileSize says, {file_size}")
                file.writelines(body.iter_chunks(_READ_SIZE))
        return True

    def _remove(self, key: str) -> None:
        with _raising_unavailable():
            self._client.delete_object(Bucket=self._name, Key=key)

    @cached_property
    def _client(self) -> Any:
        """The client is made when it is first needed, since that takes some tenths of a second."""
        import boto3  # noqa: PLC0415 -- installed with the extra only
        from botocore.config import Config  # noqa: PLC0415

        config = Config(
            signature_version="s3v4",  # which signs Content-Length as well
            request_checksum_calculation="when_required",  # whoever has the address sends the file and nothing else
            s3={"addressing_style": "auto" if self._endpoint_url is None else "path"},
        )
        return boto3.client("s3", endpoint_url=self._endpoint_url, region_name=self._region, config=config)


@contextmanager
def _raising_unavailable() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- installed with the extra only

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Unavailable("S3 did not answer as expected") from error


def next_poll(age: timedelta) -> timedelta:
    """Return how long to wait until the next check, given how long ago the import was created.

    It grows with the age; otherwise uploads that never come would keep the workers busy.
    """
    return min(max(SHORTEST_POLL, age / 10), LONGEST_POLL)


def bucket_of(settings: Settings) -> Bucket | None:
    """Return the configured bucket, or None if files are uploaded to this service itself."""
    if settings.s3_bucket is None:
        return None
    return Bucket(settings.s3_bucket, settings.s3_endpoint_url, settings.s3_region)


def _key(store_id: UUID, import_id: UUID) -> str:
    return f"{ids.store_id(store_id)}/{ids.import_id(import_id)}.csv"
