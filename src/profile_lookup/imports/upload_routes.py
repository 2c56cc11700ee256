"""`/v1/Uploads`: where the files of imports go. The address itself is the permission."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from profile_lookup.database.pool import DatabaseOfApp
from profile_lookup.errors import AlreadyUploaded, BodyTooLarge, FileRefused, UploadRefused
from profile_lookup.imports import queries
from profile_lookup.imports.uploads import read_token, receive, refuse_other_size, scratch_file
from profile_lookup.web.openapi import error_answers
from profile_lookup.web.signing import SigningSecret

router = APIRouter(tags=["Profile"])


@router.put(
    "/v1/Uploads/{token}",
    operation_id="UploadProfilesImport",
    summary="Upload the file of an import (ours)",
    response_class=Response,
    responses={
        200: {"description": "The file is there, and durable: the import begins."},
        **error_answers(
            FileRefused("expected as many bytes as fileSize says, 31"),
            UploadRefused(),
            AlreadyUploaded(),
            BodyTooLarge(31),
            has_body=False,
            needs_credentials=False,
        ),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "The file, of whatever media type.",
            "content": {
                "text/csv": {
                    "schema": {"type": "string", "format": "binary"},
                    "example": "E-mail,City\r\na@example.com,Gary\r\n",
                }
            },
        }
    },
)
async def upload_file(
    token: Annotated[
        str,
        Path(
            description="Of the `url` that the import was created with.",
            json_schema_extra={"pattern": "^[0-9A-Za-z._-]+$"},
        ),
    ],
    request: Request,
    secret: SigningSecret,
    database: DatabaseOfApp,
) -> Response:
    """The `url` of a new import leads here. It is good for one upload, within an hour, of exactly `fileSize` bytes.

    What is too large is refused before it is read. When the connection breaks, nothing has changed: try again.
    """
    store_id, import_id = read_token(secret, token)
    async with database.statements() as connection:
        file_size = await queries.awaited_file_size(connection, store_id, import_id)
    refuse_other_size(request, file_size)
    with scratch_file(request.app.state.settings.upload_directory) as file:
        await receive(request, file_size, file)
        async with database.transaction_in_turn() as connection:  # it waits for another upload of the same import
            await queries.keep_file(connection, store_id, import_id, file)
    return Response()
