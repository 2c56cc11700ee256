"""`/v1/Stores/{storeId}/Profiles/Imports/{importId}/Cancel` and `/Undo`."""

from typing import Annotated

from fastapi import APIRouter, Response

from profile_lookup.errors import ImportEnded, ImportUnfinished, RequestRefused
from profile_lookup.imports.dependencies import IMPORT_ERRORS, BucketOfApp, ImportOfStore
from profile_lookup.imports.progress import cancelled_after
from profile_lookup.imports.undo.requests import cancel_import, enqueue_undo
from profile_lookup.imports.undo.wire import UndoBody
from profile_lookup.operations.dependencies import QuotasOfApp, accepted, accepted_answer
from profile_lookup.operations.quotas import refuse_beyond_queue_quota
from profile_lookup.operations.wire import OperationAccepted
from profile_lookup.web.body import ContractRoute, json_body
from profile_lookup.web.dependencies import BaseUrl, DatabaseOfApp, Transaction
from profile_lookup.web.openapi import error_answers, request_example
from profile_lookup.web.wire import OURS

router = APIRouter(
    prefix="/v1/Stores/{storeId}/Profiles/Imports/{importId}", tags=["Profile"], route_class=ContractRoute
)

_UNDOING = "The import is being undone."
_TRYING = "The dry run of the undo has begun. It changes nothing."


@router.post(
    "/Cancel",
    operation_id="CancelProfilesImport",
    summary="Cancel an import (ours)",
    status_code=202,
    responses={
        202: accepted_answer("The import is cancelled.", "The import is cancelled after 1,200 of 5,000 rows."),
        **error_answers(*IMPORT_ERRORS, ImportEnded(), has_body=False),
    },
    openapi_extra=OURS,
)
async def cancel(
    addressed: ImportOfStore, database: DatabaseOfApp, bucket: BucketOfApp, base_url: BaseUrl, response: Response
) -> OperationAccepted:
    """Each row that was applied stays so as a whole, and no other row is applied **(ours)**.

    The message and the import's `progress` say how many rows were done, from the beginning of the file on. The status
    of the import is FAILED then, and that of its operation CANCELLED. To cancel it again changes nothing.
    """
    row = await cancel_import(database, addressed.store.id, addressed.id)
    if bucket is not None:
        await bucket.remove(addressed.store.id, addressed.id)
    return accepted(response, base_url, addressed.id, f"{cancelled_after(row)}.")


@router.post(
    "/Undo",
    operation_id="UndoProfilesImport",
    summary="Undo an import (ours)",
    status_code=202,
    responses={
        202: accepted_answer(
            "The operation undoes the import, or only finds out what that would do if it is a dry run.", _UNDOING
        ),
        **error_answers(
            RequestRefused("dryRun: Input should be a valid boolean"),
            *IMPORT_ERRORS,
            ImportUnfinished(),
            has_body=True,
        ),
    },
    openapi_extra=OURS | request_example({"dryRun": True}),
)
async def undo(
    addressed: ImportOfStore,
    body: Annotated[UndoBody, json_body(UndoBody)],
    transaction: Transaction,
    quotas: QuotasOfApp,
    base_url: BaseUrl,
    response: Response,
) -> OperationAccepted:
    """The store becomes what it would be if no row of the import had been applied **(ours)**.

    Profiles that only the import made are erased, profiles that its rows joined are split, and what its rows overwrote
    or dropped comes back. What others have written since stays. Nobody is kept apart by it. With `dryRun`, nothing is
    changed. The results of the operation say what was done to whom, and what is left as it is and why.
    """
    store = addressed.store
    await refuse_beyond_queue_quota(transaction, store.account_id, store.id, quotas)
    operation_id = await enqueue_undo(transaction, store.id, addressed.id, is_dry_run=body.dry_run)
    return accepted(response, base_url, operation_id, _TRYING if body.dry_run else _UNDOING)
