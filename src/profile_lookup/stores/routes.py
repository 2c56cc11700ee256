"""`/v1/ControlPlane/Stores`."""

from fastapi import APIRouter, Request, Response

from profile_lookup.accounts.access import AccountOfCaller
from profile_lookup.database.engine import Transaction
from profile_lookup.errors import LimitReached, NameTaken, RequestRefused
from profile_lookup.operations.queries import record_completed
from profile_lookup.operations.wire import RETRY_AFTER, OperationAccepted
from profile_lookup.stores import queries
from profile_lookup.stores.wire import StoreRequest
from profile_lookup.web import ids
from profile_lookup.web.body import BodyLastRoute
from profile_lookup.web.openapi import answer, error_answers, header, request_example
from profile_lookup.web.urls import BaseUrl, operation_url

router = APIRouter(prefix="/v1/ControlPlane/Stores", tags=["Store"], route_class=BodyLastRoute)

_MESSAGE = "Memory Store creation accepted for processing."


@router.post(
    "",
    operation_id="CreateStore",
    summary="Create a store",
    status_code=202,
    responses={
        202: answer(
            "The store is there; the operation's result is its ID.",
            {"message": _MESSAGE, "statusUrl": operation_url("http://127.0.0.1:8000", ids.EXAMPLE_OPERATION_ID)},
            {
                "Operation-Id": header("string", "The operation to ask after."),
                "Location": header("string", "Where it is."),
                "Retry-After": header("integer", "Seconds until it is worth asking."),
            },
        ),
        **error_answers(RequestRefused("displayName: Field required"), LimitReached(15), NameTaken(), has_body=True),
    },
    openapi_extra=request_example({"displayName": "customers", "description": "All of them"}),
)
async def create_store(
    account_id: AccountOfCaller,
    body: StoreRequest,
    transaction: Transaction,
    base_url: BaseUrl,
    request: Request,
    response: Response,
) -> OperationAccepted:
    """The new store has the default settings.

    These are four identifier types (`email`, `whatsapp`, `phone`, `chat`), each unique and a matching rule, and one
    trait group, `Contact`.
    """
    store_id = await queries.create(
        transaction,
        account_id,
        display_name=body.display_name,
        description=body.description,
        max_stores=request.app.state.settings.max_stores,
    )
    operation = ids.operation_id(
        await record_completed(transaction, account_id, kind="CREATE_STORE", result_id=ids.store_id(store_id))
    )
    status_url = operation_url(base_url, operation)
    response.headers.update({"Operation-Id": operation, "Location": status_url, "Retry-After": str(RETRY_AFTER)})
    return OperationAccepted(message=_MESSAGE, status_url=status_url)
