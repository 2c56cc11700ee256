"""`/v1/Uploads`: receives the files of imports. The address itself is the permission."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Path, Request, Response
from starlette.requests import ClientDisconnect

from profile_lookup.errors import (
    AlreadyUploaded,
    BodyTooLarge,
    ContentEncodingRefused,
    FileRefused,
    NotFound,
    UploadRefused,
)
from profile_lookup.imports import queries
from profile_lookup.imports.uploads import read_token, scratch_file
from profile_lookup.web import ids
from profile_lookup.web.body import announced_size, headers_of, refuse_compressed
from profile_lookup.web.connection import note_admission
from profile_lookup.web.dependencies import DatabaseOfApp, LoadLimitsOfApp, SettingsOfApp, SigningSecrets
from profile_lookup.web.openapi import error_answers
from profile_lookup.web.wire import OURS

_WRITTEN_AT_ONCE = 128 << 10  # bytes; the network delivers smaller parts, which are not worth a thread each

router = APIRouter(tags=["Profile"])


@router.put(
    "/v1/Uploads/{token}",
    operation_id="UploadProfilesImport",
    summary="Upload the file of an import (ours)",
    response_class=Response,
    responses={
        200: {"description": "The file is stored durably, and the import begins."},
        **error_answers(
            FileRefused("expected as many bytes as fileSize says, 31"),
            UploadRefused(),
            NotFound(),
            AlreadyUploaded(),
            BodyTooLarge(31),
            ContentEncodingRefused(),
            has_body=False,
            needs_credentials=False,
        ),
    },
    openapi_extra={
        **OURS,
        "security": [],
        "requestBody": {
            "required": True,
            "description": "The file, with any media type.",
            "content": {
                media_type: {
                    "schema": {"type": "string", "format": "binary"},
                    "example": "E-mail,City\r\na@example.com,Gary\r\n",
                }
                for media_type in ("text/csv", "application/octet-stream")
            },
        },
    },
)
async def upload_file(
    token: Annotated[
        str,
        Path(
            description="The end of the `url` in the answer that created the import.",
            json_schema_extra={"pattern": "^[0-9A-Za-z._-]+$"},
        ),
    ],
    request: Request,
    secrets: SigningSecrets,
    database: DatabaseOfApp,
    settings: SettingsOfApp,
    load_limits: LoadLimitsOfApp,
) -> Response:
    """A new import has this address as its `url`. It is valid for one upload of exactly `fileSize` bytes, for an hour.

    A file that is announced to be too large is refused before it is read. If the connection breaks, nothing has
    changed, and you can upload the file again.
    """
    store_id, import_id = read_token(secrets, token)
    request.path_params.update(storeId=ids.store_id(store_id), importId=ids.import_id(import_id))  # for the audit log
    async with database.statements() as connection:
        file_size = await queries.awaited_file_size(connection, store_id, import_id)
    note_admission(request.scope, by_credentials=False)
    _refuse_announced(request, file_size)
    with scratch_file(settings.upload_directory) as file:
        await _receive(request, file_size, file)
        # It may wait for another upload of the same import.
        async with load_limits.upload_turns, database.write_transaction() as connection:
            await queries.keep_file(connection, store_id, import_id, file)
    return Response()


def _refuse_announced(request: Request, file_size: int) -> None:
    """Check the headers before anything is read. Raises `ContentEncodingRefused`, `BodyTooLarge` or `FileRefused`."""
    headers = headers_of(request.scope)
    refuse_compressed(headers)
    announced = announced_size(headers)
    if announced is not None:
        _refuse_other_size(announced, file_size)


async def _receive(request: Request, file_size: int, file: BinaryIO) -> None:
    """Write the body, which must have `file_size` bytes, to the file. Raises `BodyTooLarge` or `FileRefused`."""
    received = 0
    async for part in _larger_parts(request):
        received += len(part)
        if received > file_size:
            raise BodyTooLarge(file_size)
        await asyncio.to_thread(file.write, part)
    _refuse_other_size(received, file_size)


def _refuse_other_size(size: int, file_size: int) -> None:
    if size > file_size:
        raise BodyTooLarge(file_size)
    if size < file_size:
        raise FileRefused(f"expected as many bytes as fileSize says, {file_size}")


async def _larger_parts(request: Request) -> AsyncIterator[bytes]:
    """Yield the body in parts that are worth a thread. Raises `FileRefused` if the connection ends before the body."""
    buffer = bytearray()
    try:
        async for chunk in request.stream():
            buffer += chunk
            if len(buffer) >= _WRITTEN_AT_ONCE:
                yield bytes(buffer)
                buffer.clear()
    except ClientDisconnect:
        raise FileRefused("the connection ended before the file did") from None
    yield bytes(buffer)
