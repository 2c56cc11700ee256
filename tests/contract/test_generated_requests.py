"""schemathesis generates valid and invalid requests from our OpenAPI document, and every answer must conform to it.

We add what schemathesis cannot know, so that requests get past the first checks: the IDs of existing resources, and
values of the store's types. The number of requests is bounded, and they are the same every time.
"""

import copy
import os
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from profile_lookup.settings import Settings
from profile_lookup.web import ids
from tests.contract import conforming
from tests.contract.documents import Json, operations, our_openapi, ours

EXAMPLES = int(os.environ.get("GENERATED_EXAMPLES", "10"))  # requests per operation and mode

CHECKS: list[Any] = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip

TAGS = sorted({operation.description["tags"][0] for operation in operations(ours()).values()})

TEXT = st.text(st.characters(), max_size=300)
ID_TYPES = st.sampled_from(["phone", "email", "whatsapp", "chat", "fax"])
VALUES = TEXT | st.sampled_from(["+13175551234", "(317) 555-1234", "+44 20 7946 0958", "a@example.com", "c"])
TRAITS = st.sampled_from(["phone", "email", "chat", "firstName", "city", "unknown"])
SCALARS = VALUES | st.booleans() | st.integers() | st.none() | st.floats(allow_nan=False, allow_infinity=False)
IDENTIFIERS = st.fixed_dictionaries({"idType": ID_TYPES, "value": VALUES})
PROFILES = st.fixed_dictionaries(
    {"traits": st.fixed_dictionaries({"Contact": st.dictionaries(TRAITS, SCALARS | st.lists(SCALARS), max_size=4)})}
)
MAPPINGS = [{"columnName": trait, "traitGroup": "Contact", "traitName": trait} for trait in ("phone", "email")]
IMPORTS = st.fixed_dictionaries(
    {
        "filename": TEXT,
        "fileSize": st.integers(0, 104_857_601),
        "columnMappings": st.just(MAPPINGS)
        | st.lists(
            st.fixed_dictionaries({"columnName": TEXT, "traitGroup": st.just("Contact"), "traitName": TRAITS}),
            max_size=3,
        ),
    }
)
FACETS = {
    "matchingAlgo": st.sampled_from(["exact", "fuzzy"]),
    "limit": st.integers(1, 100),
    "limitPolicy": st.sampled_from(["fifo", "lifo"]),
    "enforceUnique": st.booleans(),
    "normalization": st.sampled_from(["phone", "email", "trim", "none"]),
}
CONFIGS = [
    st.fixed_dictionaries({"idType": st.just(id_type)}, optional=FACETS)
    for id_type in ("email", "phone", "whatsapp", "chat")
]
SETTINGS = {
    "identifierConfigs": st.tuples(*CONFIGS).map(list),
    "matchingRules": st.lists(st.sampled_from(["email", "phone", "chat"]), min_size=1, unique=True),
}
BLOCKED_VALUES = st.fixed_dictionaries(
    {"builtIn": st.booleans()},
    optional={
        "values": st.lists(IDENTIFIERS, max_size=3),
        "allowed": st.lists(IDENTIFIERS, max_size=3),
        "patterns": st.lists(st.fixed_dictionaries({"idType": ID_TYPES, "pattern": VALUES}), max_size=3),
        "maxProfilesPerValue": st.integers(1, 1001),
    },
)
LIKELY_BODIES: dict[str, st.SearchStrategy[Any]] = {
    "CreateProfilesLookup": IDENTIFIERS,
    "CreateProfile": PROFILES,
    "UpdateProfilesBulk": st.fixed_dictionaries({"profiles": st.lists(PROFILES, min_size=1, max_size=3)}),
    "CreateProfilesImportV2": IMPORTS,
    "PatchProfileTraits": PROFILES,
    "CreateProfileIdentifier": IDENTIFIERS,
    "PatchProfileIdentifier": st.fixed_dictionaries(
        {"idType": st.just("phone"), "oldValue": VALUES, "newValue": VALUES}
    ),
    "UpdateIdentityResolutionSettings": st.fixed_dictionaries(SETTINGS),
    "PreviewIdentityResolutionSettings": st.fixed_dictionaries(SETTINGS, optional={"blockedValues": BLOCKED_VALUES}),
    "UpdateBlockedValues": BLOCKED_VALUES,
    "SplitProfile": st.fixed_dictionaries(
        {"events": st.just([ids.EXAMPLE_EVENT_ID])},
        optional={
            "keepApart": st.booleans(),
            "dryRun": st.booleans(),
            "block": st.lists(IDENTIFIERS, max_size=2),
        },
    ),
}


@schemathesis.serializer("text/csv")
def serialize_bytes_unchanged(_context: object, value: bytes) -> bytes:
    return value


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_stores": 1000, "max_operations_per_store": 10_000})


class Resources:
    """The resources that requests name. They are created over HTTP, and created again if a request may delete them."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._made = 0
        self.store_id = self._make_store()
        self._profiles = f"/v1/Stores/{self.store_id}/Profiles"
        self.profile_id = self._make_profile(phone="+13175551234")
        self.merged_id = self._make_profile(email="a@example.com")
        self._make_profile(phone="+13175551234", email="a@example.com")
        self.group = self._make_trait_group()
        self.import_id, self.token = self._make_import()

    def path_parameters_of(self, operation_id: str) -> dict[str, str]:
        """Return path parameters that name existing resources."""
        return {
            "storeId": self._make_store() if operation_id == "DeleteStore" else self.store_id,
            "profileId": self._make_profile(phone="+442079460958")
            if operation_id in {"DeleteProfile", "DeleteProfileIdentifier"}
            else self.profile_id,
            "otherProfileId": self.merged_id,
            "idType": "phone",
            "traitGroupName": self._make_trait_group() if operation_id == "DeleteTraitGroup" else self.group,
            "operationId": self.operation_id,
            "importId": self.import_id,
            "token": self.token,
            "keySid": self._make_key() if operation_id in {"FetchKey", "PatchKey", "DeleteKey"} else "",
        }

    def _make_key(self) -> str:
        sid: str = self._client.post("/v1/ControlPlane/Keys", json={"scopes": ["read"]}).json()["sid"]
        return sid

    def _make_store(self) -> str:
        store = self._accepted("/v1/ControlPlane/Stores", {"displayName": self._new_name()})
        self.operation_id = store.headers["Operation-Id"]
        operation: dict[str, Any] = self._client.get(store.headers["Location"]).json()
        store_id: str = operation["result"]["id"]
        return store_id

    def _make_profile(self, **contact: str) -> str:
        profile_id: str = self._accepted(self._profiles, {"traits": {"Contact": contact}}).json()["id"]
        return profile_id

    def _make_trait_group(self) -> str:
        name = self._new_name()
        traits = {"number": {"dataType": "STRING", "idTypePromotion": "chat"}}
        path = f"/v1/ControlPlane/Stores/{self.store_id}/TraitGroups"
        self._accepted(path, {"displayName": name, "traits": traits})
        return name

    def _make_import(self) -> tuple[str, str]:
        body = {"filename": "people.csv", "fileSize": 10, "columnMappings": MAPPINGS}
        made = self._client.post(f"{self._profiles}/Imports", json=body).json()
        return made["importId"], made["url"].rpartition("/")[2]

    def _new_name(self) -> str:
        self._made += 1
        return f"made-{self._made}"

    def _accepted(self, path: str, body: object) -> httpx.Response:
        answer = self._client.post(path, json=body)
        assert answer.status_code == 202, answer.text
        return answer


@pytest.mark.parametrize("tag", TAGS)
def test_every_answer_to_generated_requests_is_documented(
    service_url: str, synchronous_account: tuple[str, str], tag: str
) -> None:
    schema = schemathesis.openapi.from_dict(_without_security(our_openapi())).include(tag=tag)
    with httpx.Client(base_url=service_url, auth=synchronous_account) as client:
        resources = Resources(client)
        for found in schema.get_all_operations():
            operation: APIOperation[Any, Any, Any, Any] = found.ok()  # type: ignore[union-attr]  # ours has no errors
            for mode in _modes(operation):
                _call(operation, mode, resources, lambda case: case.call(service_url, auth=synchronous_account))


def _without_security(document: Json) -> Json:
    """Remove the security requirements: here every request has credentials, and other tests send requests without."""
    copied = copy.deepcopy(document)
    for path in copied["paths"].values():
        for operation in path.values():
            operation.pop("security", None)
    return copied


def _modes(operation: APIOperation[Any, Any, Any, Any]) -> list[GenerationMode]:
    """Return the modes; nothing is invalid in a request to an operation that has neither parameters nor a body."""
    has_input = {"parameters", "requestBody"} & operation.definition.raw.keys()
    return list(GenerationMode) if has_input else [GenerationMode.POSITIVE]


def _call(
    operation: APIOperation[Any, Any, Any, Any],
    mode: GenerationMode,
    resources: Resources,
    call: Callable[[Case[Any]], Any],
) -> None:
    operation_id = operation.definition.raw["operationId"]

    @hypothesis_settings(
        max_examples=EXAMPLES, derandomize=True, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(
        case=operation.as_strategy(mode),
        address=st.sampled_from(["there", "there", "merged", "generated"]),
        body=st.none() | LIKELY_BODIES.get(operation_id, st.nothing()),
    )
    def answers_as_documented(case: Case[Any], address: str, body: Any) -> None:
        if address != "generated":
            known = resources.path_parameters_of(operation_id)
            if address == "merged":
                known["profileId"] = resources.merged_id
            case.path_parameters = {name: known[name] for name in case.path_parameters}
        if body is not None:
            case.body = body
        answer = call(case)
        is_as_generated = address == "generated" and body is None
        case.validate_response(answer, checks=[*CHECKS, negative_data_rejection] if is_as_generated else CHECKS)
        url = httpx.URL(answer.request.url)
        headers = httpx.Headers([(name, value) for name, values in answer.headers.items() for value in values])
        conforming.check(str(answer.request.method), url.path, answer.status_code, headers, answer.content)

    answers_as_documented()
