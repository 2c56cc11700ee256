"""Requests that no operation serves: another method, an encoded body, and the half of the API that is not here."""

import httpx
import pytest

from tests.conftest import make_profile

ABSENT_STORE = "mem_store_00000000000000000000000000"


def _refusal(answer: httpx.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/ControlPlane/Stores", "GET, POST"),
        ("PUT", f"/v1/ControlPlane/Stores/{ABSENT_STORE}", "DELETE, GET, PATCH"),
        ("PUT", f"/v1/Stores/{ABSENT_STORE}/Profiles", "GET, POST"),
        ("GET", "/v1/Uploads/x", "PUT"),
        ("POST", "/docs", "GET, HEAD"),
        ("POST", "/docs/assets/swagger-ui.css", "GET, HEAD"),
    ],
)
async def test_another_method_is_answered_with_all_methods_of_the_path(
    client: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await client.request(method, path)
    assert _refusal(answer) == (405, 20405)
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "identity, gzip", "x"])
@pytest.mark.parametrize("path", ["/v1/Stores/{store}/Profiles/Lookup", "/v1/ControlPlane/Stores"])
async def test_an_encoded_body_is_refused_with_the_encoding_that_is_accepted(
    client: httpx.AsyncClient, store_id: str, path: str, encoding: str
) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    for media_type in ("application/json", "application/json; charset=utf-8"):
        headers["Content-Type"] = media_type
        answer = await client.post(path.format(store=store_id), content=b"\x1f\x8b", headers=headers)
        assert _refusal(answer) == (415, 20415)
        assert answer.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("encoding", ["identity", "Identity", ""])
async def test_a_body_may_say_that_it_is_not_encoded(client: httpx.AsyncClient, store_id: str, encoding: str) -> None:
    answer = await client.post(
        f"/v1/Stores/{store_id}/Profiles/Lookup",
        json={"idType": "chat", "value": "c-1"},
        headers={"Content-Encoding": encoding},
    )
    assert answer.status_code == 200


MEMORY_HALF = (
    ("GET", "Observations"), ("POST", "Observations"), ("GET", "Observations/mem_observation_1"),
    ("PATCH", "Observations/mem_observation_1"), ("GET", "Observations/mem_observation_1/Revisions"),
    ("GET", "ConversationSummaries"), ("POST", "ConversationSummaries"), ("DELETE", "ConversationSummaries/x"),
    ("POST", "Recall"),
)  # fmt: skip


@pytest.mark.parametrize(("method", "resource"), MEMORY_HALF)
async def test_the_memory_half_is_answered_as_absent_and_not_as_a_deleted_profile(
    client: httpx.AsyncClient, store_id: str, method: str, resource: str
) -> None:
    profile_id = await make_profile(client, store_id, chat="c-1")
    answer = await client.request(method, f"/v1/Stores/{store_id}/Profiles/{profile_id}/{resource}")
    assert _refusal(answer) == (404, 20404)
    assert "This service has no Observations, ConversationSummaries and Recall" in answer.json()["message"]
