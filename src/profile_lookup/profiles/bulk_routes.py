"""`/v1/Stores/{storeId}/Profiles/Bulk`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from profile_lookup.clock import CLOCK
from profile_lookup.errors import RequestRefused
from profile_lookup.operations import items
from profile_lookup.operations.dependencies import QuotasOfApp, accepted, accepted_answer
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.queue import enqueue
from profile_lookup.operations.quotas import refuse_beyond_queue_quota
from profile_lookup.profiles import wire
from profile_lookup.profiles.batch_body import LIMITS, BatchBody
from profile_lookup.stores.dependencies import STORE_ERRORS, StoreOfAccount
from profile_lookup.web import ids
from profile_lookup.web.body import ContractRoute
from profile_lookup.web.dependencies import BaseUrl, DatabaseOfApp, LoadLimitsOfApp
from profile_lookup.web.openapi import error_answers, request_example

_ACCEPTED = "Profile batch accepted for processing."

router = APIRouter(prefix="/v1/Stores/{storeId}/Profiles/Bulk", route_class=ContractRoute)


@router.put(
    "",
    operation_id="UpdateProfilesBulk",
    tags=["Profile"],
    summary="Create, update or merge up to 1000 profiles",
    status_code=202,
    responses={
        202: accepted_answer(
            "When the operation has ended, the profiles are done; its `resultUrl` lists the result for each.",
            _ACCEPTED,
            operationId=ids.EXAMPLE_OPERATION_ID,
            createdAt="2026-01-15T10:15:30Z",
        ),
        **error_answers(
            RequestRefused("profiles: List should have at most 1000 items after validation, not 1001"),
            *STORE_ERRORS,
            has_body=True,
            max_body=LIMITS.size,
        ),
    },
    openapi_extra=request_example(
        {
            "profiles": [
                {"traits": {"Contact": {"email": "Alyssa.Mock@example.com", "firstName": "Alyssa"}}},
                {"traits": {"Contact": {"email": "Alyssa.Mock@example.com", "phone": "+13175551234"}}},
            ]
        }
    ),
)
async def update_profiles_bulk(
    store: StoreOfAccount,
    inputs: Annotated[list[str], Depends(BatchBody())],
    load_limits: LoadLimitsOfApp,
    database: DatabaseOfApp,
    base_url: BaseUrl,
    quotas: QuotasOfApp,
    response: Response,
) -> wire.BatchAccepted:
    """Each profile is resolved as if it were created alone, in this order. A refused profile fails alone.

    An item that does not have the form of a profile (an object with `traits`, by group and name) refuses the whole
    request. The traits themselves are checked when the profile's turn comes.
    """
    requested_at = CLOCK.now()
    async with load_limits.bulk_turns, database.transaction() as transaction:
        await refuse_beyond_queue_quota(transaction, store.account_id, store.id, quotas)
        operation = await enqueue(
            transaction,
            store.account_id,
            store.id,
            kind=OperationKind.UPDATE_PROFILES_BULK,
            job_input={"requested_at": requested_at.isoformat()},
            created_at=requested_at,
        )
        await items.stage(transaction, store.account_id, operation, inputs)
    answer = accepted(response, base_url, operation, _ACCEPTED)
    return wire.BatchAccepted(
        message=answer.message,
        operation_id=ids.operation_id(operation),
        created_at=requested_at,
        status_url=answer.status_url,
    )
