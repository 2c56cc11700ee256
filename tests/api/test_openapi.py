"""The OpenAPI document tells what the contract allows, with examples that fit their own schemas."""

from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

OPERATIONS = {
    ("post", "/v1/Stores/{storeId}/Profiles/Lookup"): ("CreateProfilesLookup", "Retrieval", "200"),
    ("post", "/v1/Stores/{storeId}/Profiles"): ("CreateProfile", "Profile", "202"),
    ("post", "/v1/ControlPlane/Stores"): ("CreateStore", "Store", "202"),
    ("get", "/v1/ControlPlane/Operations/{operationId}"): ("FetchOperation", "Operations", "200"),
}
CODES = {
    "CreateProfilesLookup": {
        "400": {520046, 520049}, "401": {20003}, "403": {403}, "404": {520041, 520042}, "413": {20413},
        "415": {20415}, "429": {20429}, "500": {20500}, "503": {20503},
    },
    "CreateProfile": {
        "400": {520046, 520049, 520005, 520063}, "401": {20003}, "403": {403}, "404": {520041, 520042},
        "409": {20409}, "413": {20413}, "415": {20415}, "429": {20429}, "500": {20500}, "503": {20503},
    },
    "CreateStore": {
        "400": {520046, 520044}, "401": {20003}, "403": {403}, "409": {520045}, "413": {20413}, "415": {20415},
        "429": {20429}, "500": {20500}, "503": {20503},
    },
    "FetchOperation": {
        "400": {520051}, "401": {20003}, "403": {403}, "404": {520052}, "429": {20429}, "500": {20500},
        "503": {20503},
    },
}  # fmt: skip
CONTRACT_EXAMPLES = {
    "CreateProfilesLookup": {"idType": "phone", "value": "1-317-555-6789"},
    "CreateProfile": {
        "traits": {
            "Contact": {
                "email": "Alyssa.Mock@example.com", "phone": "+13175551234", "lastName": "Mock", "firstName": "Alyssa",
            }
        }
    },
}  # fmt: skip


@pytest.fixture
async def document(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/openapi.json", auth=httpx.BasicAuth("", ""))
    assert answer.status_code == 200
    opened: dict[str, Any] = answer.json()
    return opened


def _operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {operation["operationId"]: operation for path in document["paths"].values() for operation in path.values()}


async def test_the_operations_are_those_of_the_contract(document: dict[str, Any]) -> None:
    found = {
        (method, path): (
            operation["operationId"],
            *operation["tags"],
            *(status for status in operation["responses"] if status < "300"),
        )
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert found == OPERATIONS


async def test_every_operation_is_explained_and_needs_credentials(document: dict[str, Any]) -> None:
    for operation in _operations(document).values():
        assert operation["summary"]
        assert operation["description"]
        assert operation["security"] == [{"basic": []}]
    assert document["components"]["securitySchemes"]["basic"]["scheme"] == "basic"


async def test_every_error_answer_is_told_with_its_specific_codes(document: dict[str, Any]) -> None:
    for operation_id, operation in _operations(document).items():
        told = {
            status: {
                example["value"]["code"] for example in response["content"]["application/json"]["examples"].values()
            }
            for status, response in operation["responses"].items()
            if status >= "400"
        }
        assert told == CODES[operation_id]


async def test_every_answer_has_its_request_id_and_the_headers_of_its_status(document: dict[str, Any]) -> None:
    for operation in _operations(document).values():
        for status, response in operation["responses"].items():
            assert "X-Request-Id" in response["headers"]
            assert ("WWW-Authenticate" in response["headers"]) == (status == "401")
            if status in {"429", "503"}:
                assert "Retry-After" in response["headers"]
            if status == "202" and operation["operationId"] == "CreateStore":
                assert response["headers"].keys() >= {"Operation-Id", "Location", "Retry-After"}


async def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    checked = 0
    for operation_id, operation in _operations(document).items():
        contents = [response["content"] for response in operation["responses"].values()]
        if "requestBody" in operation:
            contents.append(operation["requestBody"]["content"])
            if operation_id in CONTRACT_EXAMPLES:
                example = operation["requestBody"]["content"]["application/json"]["example"]
                assert example == CONTRACT_EXAMPLES[operation_id]
        for content in contents:
            media = content["application/json"]
            values = [each["value"] for each in media.get("examples", {}).values()]
            values += [media["example"]] if "example" in media else []
            assert values, f"{operation_id}: no example"
            schema = {**media["schema"], "components": document["components"]}
            for value in values:
                Draft202012Validator(schema).validate(value)
                checked += 1
    assert checked > 30
