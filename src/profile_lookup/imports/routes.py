"""`/v1/Stores/{storeId}/Profiles/Imports`."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter

from profile_lookup.clock import CLOCK
from profile_lookup.errors import PageTokenRefused, RequestRefused, TraitsRefused
from profile_lookup.imports import queries, wire
from profile_lookup.imports.columns.column_mapping import refuse_mapping
from profile_lookup.imports.dependencies import IMPORT_ERRORS, AddressedImport, BucketOfApp, ImportOfStore
from profile_lookup.imports.s3 import SHORTEST_POLL
from profile_lookup.imports.uploads import upload_url
from profile_lookup.operations.dependencies import QuotasOfApp
from profile_lookup.operations.quotas import refuse_beyond_waiting_quota
from profile_lookup.stores.dependencies import STORE_ERRORS, StoreOfAccount
from profile_lookup.web import ids
from profile_lookup.web.body import ContractRoute, json_body
from profile_lookup.web.dependencies import (
    BaseUrl,
    ErrorPages,
    SettingsOfApp,
    SigningSecrets,
    Snapshot,
    Transaction,
)
from profile_lookup.web.openapi import answer, error_answers, request_example
from profile_lookup.web.pagination import PageTokensOfApp, ShortPage, fetch_page
from profile_lookup.web.urls import EXAMPLE_BASE, operation_url

router = APIRouter(route_class=ContractRoute, tags=["Profile"])

_IMPORTS = "/v1/Stores/{storeId}/Profiles/Imports"
_EXAMPLE_URL = f"{EXAMPLE_BASE}/v1/Stores/{ids.EXAMPLE_STORE_ID}/Profiles/Imports/{ids.EXAMPLE_IMPORT_ID}"
_EXAMPLE_MAPPINGS = [
    {"columnName": "E-mail", "traitGroup": "Contact", "traitName": "email"},
    {"columnName": "City", "traitGroup": "Contact", "traitName": "city"},
]


def _import_url(base_url: str, addressed: AddressedImport) -> str:
    return f"{base_url}/v1/Stores/{ids.store_id(addressed.store.id)}/Profiles/Imports/{ids.import_id(addressed.id)}"


@router.post(
    _IMPORTS,
    operation_id="CreateProfilesImportV2",
    summary="Begin the import of a CSV file",
    status_code=201,
    responses={
        201: answer(
            "PUT the file to the `url`.",
            {
                "importId": ids.EXAMPLE_IMPORT_ID,
                "url": f"{EXAMPLE_BASE}/v1/Uploads/WyI…",
                "operationId": ids.EXAMPLE_OPERATION_ID,
                "createdAt": "2026-01-15T10:15:30Z",
                "statusUrl": operation_url(EXAMPLE_BASE, ids.EXAMPLE_OPERATION_ID),
            },
        ),
        **error_answers(
            RequestRefused("columnMappings: expected each columnName once"),
            TraitsRefused("columnMappings: expected at least one trait that is promoted to an identifier"),
            *STORE_ERRORS,
            has_body=True,
        ),
    },
    openapi_extra=request_example({"filename": "people.csv", "fileSize": 31, "columnMappings": _EXAMPLE_MAPPINGS}),
)
async def create_import(
    store: StoreOfAccount,
    body: Annotated[wire.ImportRequest, json_body(wire.ImportRequest)],
    transaction: Transaction,
    secrets: SigningSecrets,
    base_url: BaseUrl,
    settings: SettingsOfApp,
    quotas: QuotasOfApp,
    bucket: BucketOfApp,
) -> wire.ImportCreated:
    """State which column is which trait, and then upload the file by one PUT to the `url`, which needs no credentials.

    Every row is then resolved like a created profile, in the file's order. A refused row does not affect the others,
    and a bad cell is ignored if the rest of its row identifies somebody **(ours)**.
    The operation waits an hour for the file, and then fails **(ours)**. With `dryRun`, the same is counted and
    reported, but no profile is written, and nobody else has to wait **(ours)**.
    """
    refuse_mapping(store.trait_groups, store.settings, [each.to_domain() for each in body.column_mappings])
    await refuse_beyond_waiting_quota(transaction, store.id, quotas)
    seconds = settings.upload_seconds
    now = CLOCK.now()
    until = now + timedelta(seconds=seconds)
    import_id = await queries.create(
        transaction,
        store.account_id,
        store.id,
        filename=body.filename,
        file_size=body.file_size,
        column_mappings=[each.model_dump(by_alias=True) for each in body.column_mappings],
        created_at=now,
        options=body.options(),
        is_dry_run=body.dry_run,
        upload_until=until,
        waits_until=until if bucket is None else now + SHORTEST_POLL,
    )
    if bucket is None:
        url = upload_url(base_url, secrets, store.id, import_id)
    else:
        url = await bucket.upload_url(store.id, import_id, body.file_size, seconds)
    operation_id = ids.operation_id(import_id)
    return wire.ImportCreated(
        import_id=ids.import_id(import_id),
        url=url,
        operation_id=operation_id,
        created_at=now,
        status_url=operation_url(base_url, operation_id),
    )


@router.get(
    _IMPORTS,
    operation_id="ListProfileImportsV2",
    summary="List a store's imports",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "The IDs of the imports",
            {"imports": [ids.EXAMPLE_IMPORT_ID], "meta": {"key": "imports", "pageSize": 1}},
        ),
        **error_answers(
            RequestRefused("pageSize: Input should be less than or equal to 1000"),
            PageTokenRefused(),
            *STORE_ERRORS,
            has_body=False,
        ),
    },
)
async def list_imports(
    store: StoreOfAccount, page: ShortPage, tokens: PageTokensOfApp, snapshot: Snapshot
) -> wire.ImportList:
    """The newest import comes first, unless `orderBy` says otherwise.

    Imports are kept for seven days after they ended, like their operations **(ours)**.
    """
    query = queries.details_of(store.id)
    found = await fetch_page(snapshot, query, queries.IMPORTS_KEY, page, tokens, "imports", str(store.id))
    return wire.ImportList(imports=[ids.import_id(row.id) for row in found.rows], meta=found.meta)


@router.get(
    _IMPORTS + "/{importId}",
    operation_id="FetchProfileImportV2",
    summary="Fetch the status and progress of an import",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "The import",
            {
                "status": "COMPLETED",
                "filename": "people.csv",
                "createdAt": "2026-01-15T10:15:30Z",
                "updatedAt": "2026-01-15T10:15:42Z",
                "fileSize": 31,
                "columnMappings": _EXAMPLE_MAPPINGS,
                "summary": {"errors": 1, "warnings": 0},
                "progress": {
                    "rowsDone": 10,
                    "rowsTotal": 10,
                    "created": 6,
                    "updated": 2,
                    "merged": 1,
                    "refused": 1,
                    "cellsIgnored": 1,
                    "evicted": 0,
                },
                "refusedRowsUrl": f"{_EXAMPLE_URL}/RefusedRows",
                "ignoredCellsUrl": f"{_EXAMPLE_URL}/IgnoredCells",
            },
        ),
        **error_answers(*IMPORT_ERRORS, has_body=False),
    },
)
async def fetch_import(
    addressed: ImportOfStore, transaction: Transaction, base_url: BaseUrl, error_pages: ErrorPages
) -> wire.Import:
    """An import is `PENDING` until the file is uploaded, `PROCESSING` while rows are applied, and then `COMPLETED`.

    It is also `COMPLETED` if rows were refused, which `summary.errors` counts. It is `FAILED` if the file as a whole
    cannot be read, and then no row is applied. An import fails half-way only if the store's traits change meanwhile so
    that the mapping no longer fits, or by a defect of the service; `progress` then counts the rows **(ours)**.
    """
    row = await queries.fetch(transaction, addressed.store.id, addressed.id)
    return wire.Import.of_row(row, _import_url(base_url, addressed), error_pages)
