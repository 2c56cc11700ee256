"""`/v1/Stores/{storeId}/Profiles/Imports/Preview`."""

import asyncio
from time import monotonic
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.requests import ClientDisconnect

from profile_lookup.errors import BodyTooLarge, ContentEncodingRefused, FileRefused, RequestRefused
from profile_lookup.imports.dry_runs.file_beginning import MAX_BEGINNING, file_beginning
from profile_lookup.imports.dry_runs.first_rows import preview_rows
from profile_lookup.imports.dry_runs.wire import ImportPreview
from profile_lookup.imports.files.import_options import ImportOptions
from profile_lookup.imports.wire import Country, Delimiter, Encoding
from profile_lookup.stores.dependencies import STORE_ERRORS, StoreOfAccount
from profile_lookup.web.body import ADMITTED_FOR, ContractRoute, announced_size, headers_of, refuse_compressed
from profile_lookup.web.dependencies import DatabaseOfApp, readmit
from profile_lookup.web.openapi import answer, error_answers
from profile_lookup.web.wire import OURS, MayBeAbsent

router = APIRouter(route_class=ContractRoute, tags=["Profile"])


async def _beginning(request: Request) -> bytes:
    """Return the body. Raises `ContentEncodingRefused`, `BodyTooLarge`, or `FileRefused` if it does not arrive."""
    headers = headers_of(request.scope)
    refuse_compressed(headers)
    if (announced_size(headers) or 0) > MAX_BEGINNING:
        raise BodyTooLarge(MAX_BEGINNING)
    began = monotonic()
    received = bytearray()
    try:
        async for chunk in request.stream():
            received += chunk
            if len(received) > MAX_BEGINNING:
                raise BodyTooLarge(MAX_BEGINNING)
    except ClientDisconnect:
        raise FileRefused("the connection ended before the file did") from None
    if monotonic() - began > ADMITTED_FOR:
        await readmit(request.scope)
    return bytes(received)


@router.post(
    "/v1/Stores/{storeId}/Profiles/Imports/Preview",
    operation_id="PreviewProfilesImport",
    summary="What would become of the first rows of a file?",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "How the file would be read, and what would become of its first rows",
            {
                "encoding": "utf-8",
                "delimiter": ",",
                "columns": [
                    {"columnName": "E-mail", "traitGroup": "Contact", "traitName": "email", "confidence": 1.0},
                    {"columnName": "Points", "confidence": 0.0},
                ],
                "rows": [{"line": 2, "outcome": "create", "cells": []}],
            },
        ),
        **error_answers(
            FileRefused("expected a header: the file is empty"),
            RequestRefused("query: expected only delimiter, encoding, country"),
            BodyTooLarge(MAX_BEGINNING),
            ContentEncodingRefused(),
            *STORE_ERRORS,
            has_body=False,
        ),
    },
    openapi_extra={
        **OURS,
        "requestBody": {
            "required": True,
            "description": "The first 64 KiB of the file, or all of it, with any media type.",
            "content": {
                "text/csv": {
                    "schema": {"type": "string", "format": "binary"},
                    "example": "E-mail,Points\r\na@example.com,1\r\n",
                }
            },
        },
    },
)
async def preview_import(
    store: StoreOfAccount,
    content: Annotated[bytes, Depends(_beginning)],
    database: DatabaseOfApp,
    delimiter: Annotated[Delimiter | None, MayBeAbsent, Query(description="As for the import.")] = None,
    encoding: Annotated[Encoding | None, MayBeAbsent, Query(description="As for the import.")] = None,
    country: Annotated[Country | None, MayBeAbsent, Query(description="As for the import.")] = None,
) -> ImportPreview:
    """The columns are guessed by their names. Nothing is written, and nobody has to wait **(ours)**.

    At most 100 rows are resolved, each after those before it. If you send 64 KiB, the last line is not read, since it
    may be cut off.
    """
    options = ImportOptions(delimiter=delimiter, encoding=encoding, country=country)
    beginning = await asyncio.to_thread(file_beginning, store, content, options)
    if not beginning.identifies:
        return ImportPreview.of(beginning, [])
    async with database.snapshot() as connection:
        rows = await preview_rows(connection, store, beginning.row_rules, iter(beginning.records))
    return ImportPreview.of(beginning, rows)
