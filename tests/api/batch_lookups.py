"""Batch lookups, and the single lookups that they must agree with."""

from collections.abc import Sequence
from typing import Any

import httpx

Pair = tuple[str, str]
"""The type and the value of an identifier."""

Result = dict[str, Any]


def batch_path(store_id: str) -> str:
    return f"/v1/Stores/{store_id}/Profiles/Lookup/Batch"


def batch_body(pairs: Sequence[Pair]) -> dict[str, Any]:
    return {"identifiers": [{"idType": id_type, "value": value} for id_type, value in pairs]}


async def look_up_batch(client: httpx.AsyncClient, store_id: str, pairs: Sequence[Pair]) -> list[Result]:
    answer = await client.post(batch_path(store_id), json=batch_body(pairs))
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"results"}
    results: list[Result] = answer.json()["results"]
    return results


async def looked_up_one_by_one(client: httpx.AsyncClient, store_id: str, pairs: Sequence[Pair]) -> list[Result]:
    """Return what single lookups answer, in the form of a batch's results."""
    results = []
    for sent in batch_body(pairs)["identifiers"]:
        answer = await client.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json=sent)
        body = answer.json()
        refusal = {"error": {"code": body.get("code"), "message": body.get("message")}}
        results.append(body if answer.status_code == 200 else refusal)
    return results
