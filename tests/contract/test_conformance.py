"""Our OpenAPI document has the same operations, requests and answers as the contract, except for listed deviations."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator

from tests.contract.comparison import answer_differences, request_differences
from tests.contract.conforming import FORMATS
from tests.contract.documents import Json, Operation, contract, json_media, operations, our_openapi, ours

ADDITIONAL = {
    "CreateKey": "API keys, what each may do, and revocation",
    "ListKeys": "see CreateKey",
    "FetchKey": "see CreateKey",
    "PatchKey": "see CreateKey",
    "DeleteKey": "see CreateKey",
    "RotateAuthToken": "a new auth token, while the former one is still accepted",
    "ListOperations": "what an account has started",
    "ListOperationResults": "the result for each profile of a batch, or how many identifiers were removed",
    "FetchBlockedValues": "which values identify nobody",
    "UpdateBlockedValues": "which values identify nobody",
    "ListBuiltInBlockedValues": "the values that identify nobody in any store",
    "ListSuspects": "which profiles may be several people",
    "PreviewIdentityResolutionSettings": "what other settings would do to the profiles of a store",
    "CreateProfilesLookupBatch": "many identifiers, looked up at the same moment",
    "FetchProfileImportRefusedRows": "which rows of an import were refused, and why",
    "ListProfileEvents": "what happened to a profile",
    "FetchProfileExplanation": "why all this is one person",
    "ListStoreEvents": "what happens in a store, for those who follow it",
    "FetchProfileImportIgnoredCells": "which cells of an import were ignored, and why",
    "PreviewProfilesImport": "what would become of the first rows of a file",
    "UploadProfilesImport": "the target of an import's url, unless that is S3",
    "CancelProfilesImport": "an import ends where it is",
    "UndoProfilesImport": "the store becomes what it would be without an import",
    "SplitProfile": "joins of a profile are undone",
    "ListSeparations": "from whom a split keeps a profile apart",
    "DeleteSeparation": "two profiles may become one person again",
}
"""Operations that the contract does not have, and what they are for."""
WITHOUT_CREDENTIALS = {"UploadProfilesImport": "its address is signed"}

CONTACT = "every store has this trait group, so its traits are documented"
NO_BATCH = "a batch needs profiles, and nothing would read any other field"
OPTIONS = "a file may be written in other ways than ours"
EMPTY_VALUE = "every normalization refuses an empty value, and the document says so in advance"
DEVIATIONS = {
    "CreateProfilesLookup request.value: minLength: contract None, ours 1": EMPTY_VALUE,
    "CreateProfileIdentifier request.value: minLength: contract None, ours 1": EMPTY_VALUE,
    "PatchProfileIdentifier request.oldValue: minLength: contract None, ours 1": EMPTY_VALUE,
    "PatchProfileIdentifier request.newValue: minLength: contract None, ours 1": EMPTY_VALUE,
    "CreateTraitGroup request: required: contract False, ours True": "it contains the displayName, which is required",
    "FetchTraitGroup query.pageSize: only we have it": "a comment of the contract has it, too",
    "DeleteProfileIdentifier query.value: only we have it": "it names the value to remove",
    "CreateProfile request.traits.Contact: only ours": CONTACT,
    "PatchProfileTraits request.traits.Contact: only ours": CONTACT,
    "UpdateProfilesBulk request.profiles[].traits.Contact: only ours": CONTACT,
    **{f"CreateProfilesImportV2 request.{name}: only ours": OPTIONS for name in ("delimiter", "encoding", "country")},
    "CreateProfilesImportV2 request.dryRun: only ours": "an import may only be tried",
    "CreateProfilesImportV2 request: maxProperties: contract 3, ours 7": OPTIONS,
    "UpdateProfilesBulk request: required: contract None, ours ['profiles']": NO_BATCH,
    "UpdateProfilesBulk request: additionalProperties: contract None, ours False": NO_BATCH,
}
"""Where our document differs from the contract, and why."""

STATUS_OF_CODE = {
    520046: 400, 520049: 400, 520051: 400, 520005: 400, 520024: 400, 520044: 400, 520053: 400,
    520054: 400, 520050: 400, 20003: 401, 403: 403, 520041: 404, 520042: 404, 20404: 404, 520047: 404, 520052: 404,
    520014: 404, 520017: 404, 520045: 409, 520055: 409, 20409: 409, 520043: 412, 20413: 413, 20415: 415, 20429: 429,
    20500: 500, 20503: 503,
}  # fmt: skip
EVERYWHERE = {403, 20429, 20500, 20503}
BODY = {520046, 20413, 20415}
STORE = {520049, 520041, 520042}
PROFILE = STORE | {520046, 20404}
IMPORT = STORE | {520046, 20404}
CODES = {
    "CreateProfilesLookup": STORE | BODY,
    "CreateProfilesLookupBatch": STORE | BODY,
    "ListProfiles": STORE | {520046},
    "CreateProfile": STORE | BODY | {520005, 20409},
    "UpdateProfilesBulk": STORE | BODY,
    "CreateProfilesImportV2": STORE | BODY | {520005},
    "ListProfileImportsV2": STORE | {520046},
    "FetchProfileImportV2": IMPORT,
    "FetchProfileImportRefusedRows": IMPORT,
    "FetchProfileImportIgnoredCells": IMPORT,
    "PreviewProfilesImport": STORE | BODY,
    "CancelProfilesImport": IMPORT | {20409},
    "UndoProfilesImport": IMPORT | BODY | {20409},
    "UploadProfilesImport": {520046, 20404, 20409, 20413, 20415},
    "FetchProfile": PROFILE,
    "ListProfileEvents": PROFILE,
    "FetchProfileExplanation": PROFILE,
    "ListStoreEvents": STORE | {520046},
    "PatchProfileTraits": PROFILE | BODY | {520005, 20409},
    "DeleteProfile": PROFILE,
    "ListProfileTraits": PROFILE,
    "ListProfileIdentifiers": PROFILE,
    "CreateProfileIdentifier": PROFILE | BODY | {20409},
    "FetchProfileIdentifier": PROFILE,
    "PatchProfileIdentifier": PROFILE | BODY | {520014, 20409},
    "DeleteProfileIdentifier": PROFILE | {520017},
    "SplitProfile": PROFILE | BODY | {20409, 520043},
    "ListSeparations": PROFILE,
    "DeleteSeparation": PROFILE,
    "CreateStore": BODY | {520044, 520045, 20404},
    "ListStores": {520046, 20404},
    "FetchStore": STORE,
    "PatchStore": STORE | BODY | {520045, 520043},
    "DeleteStore": STORE,
    "FetchIdentityResolutionSettings": STORE,
    "UpdateIdentityResolutionSettings": STORE | BODY | {520024, 520043},
    "ListSuspects": STORE | {520046},
    "PreviewIdentityResolutionSettings": STORE | BODY | {520024},
    "FetchBlockedValues": STORE,
    "UpdateBlockedValues": STORE | BODY | {520043},
    "ListBuiltInBlockedValues": {20404, 520046},
    "ListTraitGroups": STORE | {520046},
    "CreateTraitGroup": STORE | BODY | {520053, 520054, 520055, 20409},
    "FetchTraitGroup": STORE | {520046, 520047},
    "PatchTraitGroup": STORE | BODY | {520050, 520054, 520047, 20409, 520043},
    "DeleteTraitGroup": STORE | {520046, 520050, 520047, 20409},
    "FetchOperation": {520051, 520052},
    "ListOperationResults": {520046, 520051, 520052},
    "ListOperations": {520046, 520049},
    "CreateKey": BODY,
    "ListKeys": {520046},
    "FetchKey": {520046, 20404},
    "PatchKey": BODY | {20404, 520043},
    "DeleteKey": {520046, 20404},
    "RotateAuthToken": BODY,
}
"""The error codes of each operation, in addition to those that every operation has."""

CONTRACT = operations(contract())
OURS = operations(ours())


async def test_the_document_is_served_without_credentials(app: FastAPI, client: httpx.AsyncClient) -> None:
    answer = await client.get("/openapi.json", auth=httpx.BasicAuth("", ""))
    assert answer.status_code == 200
    assert answer.json() == our_openapi()


def test_the_operations_equal_those_of_the_contract() -> None:
    assert set(OURS) - ADDITIONAL.keys() == set(CONTRACT)
    for operation_id in CONTRACT:
        operation, theirs = OURS[operation_id], CONTRACT[operation_id]
        assert (operation.method, operation.path) == (theirs.method, theirs.path)
        assert operation.description["tags"] == theirs.description["tags"]


def test_requests_and_answers_equal_the_contract_except_for_listed_deviations() -> None:
    found = {difference for operation_id in CONTRACT for difference in _differences(operation_id)}
    assert sorted(found - DEVIATIONS.keys()) == []
    assert sorted(DEVIATIONS.keys() - found) == []


@pytest.mark.parametrize("operation_id", OURS)
def test_every_error_answer_is_documented_with_its_specific_codes(operation_id: str) -> None:
    documented: dict[str, set[int]] = {}
    for status, response in OURS[operation_id].description["responses"].items():
        if status >= "400":
            media = json_media(response)
            assert not list(answer_differences(contract()["components"]["schemas"]["Error"], media["schema"], status))
            documented[status] = {example["value"]["code"] for example in media["examples"].values()}
    expected: dict[str, set[int]] = {}
    codes = CODES[operation_id] | EVERYWHERE | (set() if operation_id in WITHOUT_CREDENTIALS else {20003})
    for code in codes:
        expected.setdefault(str(STATUS_OF_CODE[code]), set()).add(code)
    assert documented == expected


@pytest.mark.parametrize("operation_id", OURS)
def test_every_operation_is_described_and_needs_credentials(operation_id: str) -> None:
    description = OURS[operation_id].description
    assert description["summary"]
    assert description["description"]
    assert description.get("security") == ([] if operation_id in WITHOUT_CREDENTIALS else contract()["security"])
    scheme = ours()["components"]["securitySchemes"]["basic"]
    assert scheme.items() >= contract()["components"]["securitySchemes"]["basic"].items()


@pytest.mark.parametrize("operation_id", OURS)
def test_every_answer_is_documented_with_the_headers_of_its_status(operation_id: str) -> None:
    for status, response in OURS[operation_id].description["responses"].items():
        always = {name for name, header in response["headers"].items() if header["required"]}
        assert {"X-Request-Id", "Twilio-Request-Id"} <= always
        assert ("WWW-Authenticate" in always) == (status == "401")
        if status in {"429", "503"}:
            assert "Retry-After" in always


@pytest.mark.parametrize("operation_id", OURS)
def test_every_body_has_examples_that_fit_its_schema(operation_id: str) -> None:
    description = OURS[operation_id].description
    bodies = {
        **description["responses"],
        **({"request": description["requestBody"]} if "requestBody" in description else {}),
    }
    for name, body in bodies.items():
        for media in body.get("content", {}).values():
            examples = [each["value"] for each in media.get("examples", {}).values()]
            examples += [media["example"]] if "example" in media else []
            assert examples, name
            for example in examples:
                Draft202012Validator(media["schema"], format_checker=FORMATS).validate(example)


def _differences(operation_id: str) -> Iterator[str]:
    theirs, own = CONTRACT[operation_id], OURS[operation_id]
    for difference in (
        *_of_parameters(theirs, own),
        *_of_request(theirs.description.get("requestBody"), own.description.get("requestBody")),
        *_of_answers(theirs.description["responses"], own.description["responses"]),
    ):
        yield f"{operation_id} {difference}"


def _of_parameters(theirs: Operation, own: Operation) -> Iterator[str]:
    for key in theirs.parameters.keys() | own.parameters.keys():
        place = ".".join(key)
        if key not in own.parameters or key not in theirs.parameters:
            yield f"{place}: only {'the contract has it' if key in theirs.parameters else 'we have it'}"
            continue
        parameter, ours_of_it = theirs.parameters[key], own.parameters[key]
        if parameter.get("required", False) != ours_of_it["required"]:
            yield f"{place}: required: contract {not ours_of_it['required']}, ours {ours_of_it['required']}"
        yield from request_differences(parameter["schema"], ours_of_it["schema"], place)


def _of_request(theirs: Json | None, own: Json | None) -> Iterator[str]:
    if theirs is None or own is None:
        if theirs is not own:
            yield "request: only one has a body"
        return
    if theirs.get("required", False) != own["required"]:
        yield f"request: required: contract {not own['required']}, ours {own['required']}"
    yield from _of_examples(json_media(theirs), json_media(own), "request")
    yield from request_differences(json_media(theirs)["schema"], json_media(own)["schema"], "request")


def _of_answers(theirs: Json, own: Json) -> Iterator[str]:
    """Answers that the contract calls `default` are covered by the table of codes."""
    for status in sorted((theirs.keys() - {"default"}) | {status for status in own if status < "400"}):
        if status not in own or status not in theirs:
            yield f"{status}: only {'the contract has it' if status in theirs else 'we have it'}"
            continue
        for name, header in theirs[status].get("headers", {}).items():
            sent = own[status]["headers"].get(name)
            if sent is None:
                yield f"{status} {name}: only the contract has it"
            else:
                yield from answer_differences(header["schema"], sent["schema"], f"{status} {name}")
        if status < "400":
            yield from _of_examples(json_media(theirs[status]), json_media(own[status]), status)
        yield from answer_differences(json_media(theirs[status])["schema"], json_media(own[status])["schema"], status)


def _of_examples(theirs: Json, own: Json, place: str) -> Iterator[str]:
    if "example" in theirs and theirs["example"] != own["example"]:
        yield f"{place}: not the contract's example"
