"""`/v1/Stores/{storeId}/Profiles/Lookup/Batch`."""

from collections.abc import Sequence
from json.encoder import encode_basestring

from fastapi import APIRouter
from pydantic import ValidationError

from profile_lookup.accounts.credentials import parse_basic_cached
from profile_lookup.accounts.dependencies import BASIC
from profile_lookup.accounts.rate_limits import cost_of_batch
from profile_lookup.errors import IdentifierRefused, RequestRefused, ValueRefused
from profile_lookup.identity.identifier import Identifier
from profile_lookup.lookup.batch_lookup import BatchResult, in_pieces
from profile_lookup.lookup.wire import LookupBatch, LookupBatchAnswer, serialized
from profile_lookup.metrics.catalogue import BATCH_SIZES
from profile_lookup.stores.dependencies import STORE_ERRORS, StoreIdInPath
from profile_lookup.web import ids
from profile_lookup.web.body import json_body, validated
from profile_lookup.web.connection import connection_cache, note_admission
from profile_lookup.web.contract import code_of, message_of
from profile_lookup.web.hot_route import HotRequest, HotRoute
from profile_lookup.web.openapi import answer, error_answers, request_example
from profile_lookup.web.wire import OURS

router = APIRouter(prefix="/v1/Stores/{storeId}/Profiles/Lookup", route_class=HotRoute)


@router.post(
    "/Batch",
    operation_id="CreateProfilesLookupBatch",
    tags=["Retrieval"],
    summary="Which profiles do these identifiers name?",
    dependencies=[BASIC, json_body(LookupBatch)],
    response_model=LookupBatchAnswer,
    responses={
        200: answer(
            "A result for each identifier, in the order of the request",
            {
                "results": [
                    {"normalizedValue": "+13175556789", "profiles": [ids.EXAMPLE_PROFILE_ID]},
                    {"error": {"code": 520046, "message": str(ValueRefused("expected one @ with text on both sides"))}},
                ]
            },
        ),
        **error_answers(
            RequestRefused("identifiers: List should have at most 1000 items after validation, not 1001"),
            *STORE_ERRORS,
            has_body=True,
        ),
    },
    openapi_extra=OURS
    | request_example(
        {"identifiers": [{"idType": "phone", "value": "1-317-555-6789"}, {"idType": "email", "value": "no address"}]}
    ),
)
async def look_up_batch(request: HotRequest, store_id: StoreIdInPath) -> bytes:
    """Up to 1000 identifiers are looked up at the same moment; each result is what the Lookup answers.

    An identifier that the store refuses has an `error` as its result, and does not affect the others. If a rate limit
    is set, a batch counts as one request for every 100 identifiers that it begins.
    """
    credentials = parse_basic_cached(connection_cache(request.scope), request.raw_headers.get(b"authorization", b""))
    services = request.services
    admission = await services.admissions.admission(credentials, store_id, "lookup")
    note_admission(request.scope)
    body = await request.json_body()
    async with services.load_limits.lookup_batch_turns:  # also for parsing, which takes a millisecond
        identifiers = _identifiers_in(body)
        BATCH_SIZES.of().add(len(identifiers))
        services.rate_limits.count_as(admission.buckets, cost_of_batch(len(identifiers)))
        results = await services.batch_lookup.look_up(credentials, store_id, admission.store, identifiers)
        return await _serialized(results)


def _identifiers_in(body: bytes) -> list[Identifier]:
    """Return the identifiers in a body. Raises `RequestRefused`."""
    try:
        batch = LookupBatch.model_validate_json(body)  # in a quarter of the time
    except ValidationError:  # it does not fit, or it is not in UTF-8
        batch = validated(LookupBatch, body)
    return [each.to_domain() for each in batch.identifiers]


async def _serialized(results: Sequence[BatchResult]) -> bytes:
    """Return the JSON of a `LookupBatchAnswer`."""
    return b'{"results":[%b]}' % b",".join([_serialized_result(each) async for each in in_pieces(results)])


def _serialized_result(result: BatchResult) -> bytes:
    if not isinstance(result, IdentifierRefused):
        return serialized(result.normalized_value, result.profile_ids)
    return f'{{"error":{{"code":{code_of(result)},"message":{encode_basestring(message_of(result))}}}}}'.encode()
