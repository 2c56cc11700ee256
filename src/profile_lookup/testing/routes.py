"""`/testing/…`: how tests control a server for tests. It needs no credentials, and is nowhere else."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from profile_lookup.clock import CLOCK
from profile_lookup.errors import NotFound, RequestRefused
from profile_lookup.testing import wire
from profile_lookup.testing.dependencies import DoubleOfApp, SentSeed, refuse_query_parameters
from profile_lookup.web import ids
from profile_lookup.web.body import ContractRoute, json_body
from profile_lookup.web.openapi import answer, error_answers, request_example

router = APIRouter(
    prefix="/testing", tags=["Testing"], route_class=ContractRoute, dependencies=[Depends(refuse_query_parameters)]
)

_OURS: dict[str, Any] = {"x-ours": True}
_SEED_EXAMPLE = {
    "stores": [
        {
            "id": ids.EXAMPLE_STORE_ID,
            "displayName": "customers",
            "profiles": [{"traits": {"Contact": {"firstName": "Ann", "phone": "+13175556789"}}}],
        }
    ]
}
_FAULT_EXAMPLE = {"method": "POST", "path": "/v1/Stores/{storeId}/Profiles/Lookup", "status": 429, "times": 2}
_PENDING_EXAMPLE = {"id": "1", "fault": _FAULT_EXAMPLE, "remaining": 2}
_CLOCK_EXAMPLE = {"now": "2026-01-15T10:15:30Z"}


@router.post(
    "/reset",
    operation_id="ResetTesting",
    summary="Bring everything back to what it was at the start",
    status_code=204,
    responses=error_answers(has_body=False, needs_credentials=False),
    openapi_extra=_OURS,
)
async def reset(double: DoubleOfApp) -> None:
    """Stores, profiles and credentials are those that the server had when it started, with the same IDs **(ours)**.

    Operations that are under way end and write nothing more. Faults and recorded requests are gone, and the clock
    shows the time at which it began.
    """
    await double.reset()


@router.post(
    "/seed",
    operation_id="SeedTesting",
    summary="Add stores with settings, trait groups and profiles",
    status_code=201,
    responses={
        201: answer(
            "The IDs of the stores and their profiles",
            {"stores": [{"id": ids.EXAMPLE_STORE_ID, "profiles": [ids.EXAMPLE_PROFILE_ID]}]},
        ),
        **error_answers(
            RequestRefused("stores.0.profiles.0: traits.Contact.phone: expected a string"),
            has_body=True,
            needs_credentials=False,
        ),
    },
    openapi_extra=_OURS | request_example(_SEED_EXAMPLE),
)
async def seed(double: DoubleOfApp, sent: SentSeed) -> wire.SeededStores:
    """The body has the format of a seed file, in JSON, or in YAML if `Content-Type` is `application/yaml` **(ours)**.

    If any of it is refused, none of its stores is added.
    """
    stores = await double.seed(sent)
    return wire.SeededStores(stores=[wire.SeededStore.of(store.id, store.profile_ids) for store in stores])


@router.post(
    "/faults",
    operation_id="CreateTestingFault",
    summary="Let requests fail or wait",
    status_code=201,
    response_model_exclude_none=True,
    responses={
        201: answer("The fault, with the ID by which it can be deleted", _PENDING_EXAMPLE),
        **error_answers(
            RequestRefused("fault: Expected status, delaySeconds or dropConnection"),
            has_body=True,
            needs_credentials=False,
        ),
    },
    openapi_extra=_OURS | request_example(_FAULT_EXAMPLE),
)
async def create_fault(double: DoubleOfApp, fault: Annotated[wire.Fault, json_body(wire.Fault)]) -> wire.PendingFault:
    """The next requests with this method and path are not served, but get this answer, or none **(ours)**.

    The first fault that fits a request affects it, and no other. A reset removes all faults.
    """
    return double.faults.add(fault)


@router.get(
    "/faults",
    operation_id="ListTestingFaults",
    summary="List the faults that affect further requests",
    response_model_exclude_none=True,
    responses={
        200: answer("The faults", {"faults": [_PENDING_EXAMPLE]}),
        **error_answers(has_body=False, needs_credentials=False),
    },
    openapi_extra=_OURS,
)
async def list_faults(double: DoubleOfApp) -> wire.PendingFaults:
    """A fault is gone when it has affected as many requests as it had to **(ours)**."""
    return wire.PendingFaults(faults=double.faults.pending)


@router.delete(
    "/faults",
    operation_id="DeleteTestingFaults",
    summary="Remove all faults",
    status_code=204,
    responses=error_answers(has_body=False, needs_credentials=False),
    openapi_extra=_OURS,
)
async def remove_faults(double: DoubleOfApp) -> None:
    """All requests are served again **(ours)**."""
    double.faults.clear()


@router.delete(
    "/faults/{faultId}",
    operation_id="DeleteTestingFault",
    summary="Remove a fault",
    status_code=204,
    responses=error_answers(NotFound(), has_body=False, needs_credentials=False),
    openapi_extra=_OURS,
)
async def remove_fault(double: DoubleOfApp, fault_id: Annotated[str, Path(alias="faultId", max_length=20)]) -> None:
    """It is 404 if the fault has affected all its requests already **(ours)**."""
    if not double.faults.remove(fault_id):
        raise NotFound


@router.get(
    "/requests",
    operation_id="ListTestingRequests",
    summary="List the last requests",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "The last 1,000 requests, the oldest first",
            {
                "requests": [
                    {
                        "method": "POST",
                        "path": f"/v1/Stores/{ids.EXAMPLE_STORE_ID}/Profiles/Lookup",
                        "pathTemplate": "/v1/Stores/{storeId}/Profiles/Lookup",
                        "sid": "SK0123456789abcdef0123456789abcdef",
                        "status": 200,
                        "body": '{"idType":"phone","value":"+13175556789"}',
                        "isBodyCut": False,
                    }
                ]
            },
        ),
        **error_answers(has_body=False, needs_credentials=False),
    },
    openapi_extra=_OURS,
)
async def list_requests(double: DoubleOfApp) -> wire.RecordedRequests:
    """At most 64 KiB of each body are kept. Requests for `/testing/…` are not recorded **(ours)**."""
    return wire.RecordedRequests(requests=double.recordings.to_wire())


@router.get(
    "/clock",
    operation_id="FetchTestingClock",
    summary="Fetch the time",
    responses={
        200: answer("The time of the server", _CLOCK_EXAMPLE),
        **error_answers(has_body=False, needs_credentials=False),
    },
    openapi_extra=_OURS,
)
async def fetch_clock() -> wire.ClockAnswer:
    """The clock runs on from wherever it was moved to **(ours)**."""
    return wire.ClockAnswer(now=CLOCK.now())


@router.put(
    "/clock",
    operation_id="UpdateTestingClock",
    summary="Move the clock",
    responses={
        200: answer("The time of the server from now on", _CLOCK_EXAMPLE),
        **error_answers(
            RequestRefused("body: Expected either now or advanceSeconds"), has_body=True, needs_credentials=False
        ),
    },
    openapi_extra=_OURS | request_example({"advanceSeconds": 3600}),
)
async def update_clock(
    double: DoubleOfApp, change: Annotated[wire.ClockChange, json_body(wire.ClockChange)]
) -> wire.ClockAnswer:
    """What expires, expires by this clock, and all times that are written are its times **(ours)**."""
    await double.move_clock(change.now or CLOCK.now() + timedelta(seconds=change.advance_seconds or 0))
    return wire.ClockAnswer(now=CLOCK.now())
