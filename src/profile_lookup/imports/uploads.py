"""The file of an import on its way in: by a signed address, to the disk, and then whole into the database."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO
from uuid import UUID

from fastapi import Request
from itsdangerous import BadData, URLSafeSerializer
from starlette.requests import ClientDisconnect

from profile_lookup.errors import BodyTooLarge, FileRefused, Unavailable, UploadRefused

_BUFFER = 1 << 20  # bytes


def upload_url(base_url: str, secret: bytes, store_id: UUID, import_id: UUID) -> str:
    """Whoever has it may upload the import's file; until when, and that it be once, the database knows."""
    token = _serializer(secret).dumps([store_id.hex, import_id.hex])
    assert isinstance(token, str)
    return f"{base_url}/v1/Uploads/{token}"


def read_token(secret: bytes, token: str) -> tuple[UUID, UUID]:
    """Store and import. Raises `UploadRefused`."""
    try:
        store_id, import_id = _serializer(secret).loads(token)
    except BadData:
        raise UploadRefused from None
    return UUID(store_id), UUID(import_id)


def _serializer(secret: bytes) -> URLSafeSerializer:
    return URLSafeSerializer(secret, salt="upload", signer_kwargs={"digest_method": hashlib.sha256})


@contextmanager
def scratch_file(directory: Path) -> Iterator[BinaryIO]:
    """A file without a name: it is gone with us, however we end. Raises `Unavailable` when the disk will not."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryFile(dir=directory) as file:
            yield file
    except OSError as error:
        raise Unavailable("there is no room for the file") from error


def refuse_other_size(request: Request, file_size: int) -> None:
    """By what is announced, before anything is read. Raises `BodyTooLarge` or `FileRefused`."""
    announced = request.headers.get("Content-Length")
    if announced is not None:
        _refuse_other(int(announced), file_size)


async def receive(request: Request, file_size: int, file: BinaryIO) -> None:
    """The body, which must be so long, into the file. Raises `BodyTooLarge` or `FileRefused`."""
    received = 0
    async for some in _in_larger_parts(request):
        received += len(some)
        if received > file_size:
            raise BodyTooLarge(file_size)
        await asyncio.to_thread(file.write, some)
    _refuse_other(received, file_size)


def _refuse_other(size: int, file_size: int) -> None:
    if size > file_size:
        raise BodyTooLarge(file_size)
    if size < file_size:
        raise FileRefused(f"expected as many bytes as fileSize says, {file_size}")


async def _in_larger_parts(request: Request) -> AsyncIterator[bytes]:
    """What the network gives is too small to go to a thread with each."""
    buffer = bytearray()
    try:
        async for chunk in request.stream():
            buffer += chunk
            if len(buffer) >= _BUFFER:
                yield bytes(buffer)
                buffer.clear()
    except ClientDisconnect:
        raise FileRefused("the connection ended before the file did") from None
    yield bytes(buffer)
