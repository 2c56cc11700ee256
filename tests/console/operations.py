"""Operations for the console to show, begun by the API."""

import time
from collections.abc import Sequence
from typing import Any

import httpx

from tests.browser.chromium import PATIENCE

MAPPINGS = [
    {"columnName": "email", "traitGroup": "Contact", "traitName": "email"},
    {"columnName": "city", "traitGroup": "Contact", "traitName": "city"},
]


def begin_import(api: httpx.Client, store_id: str, content: str) -> dict[str, Any]:
    """Begin an import that waits for this file, with the columns `email` and `city`."""
    body = {"filename": "people.csv", "fileSize": len(content.encode()), "columnMappings": MAPPINGS}
    created = api.post(f"/v1/Stores/{store_id}/Profiles/Imports", json=body)
    assert created.status_code == 201, created.text
    begun: dict[str, Any] = created.json()
    return begun


def import_rows(api: httpx.Client, store_id: str, *rows: str) -> str:
    """Import a file of `email,city` with these rows, and return the operation's ID once it has ended."""
    content = "\n".join(("email,city", *rows))
    begun = begin_import(api, store_id, content)
    assert httpx.put(begun["url"], content=content.encode(), timeout=PATIENCE).status_code == 200
    operation_id: str = begun["operationId"]
    return ended(api, operation_id)


def write_batch(api: httpx.Client, store_id: str, profiles: Sequence[object]) -> str:
    """Write a batch of profiles, and return the operation's ID once it has ended."""
    accepted = api.put(f"/v1/Stores/{store_id}/Profiles/Bulk", json={"profiles": profiles})
    return ended(api, accepted.json()["operationId"])


def ended(api: httpx.Client, operation_id: str) -> str:
    """Wait until the operation has ended, and return its ID."""
    until = time.monotonic() + PATIENCE
    while api.get(f"/v1/ControlPlane/Operations/{operation_id}").json()["status"] in ("PENDING", "RUNNING"):
        assert time.monotonic() < until
        time.sleep(0.05)
    return operation_id


def cancel_import(api: httpx.Client, store_id: str, begun: dict[str, Any]) -> None:
    answer = api.post(f"/v1/Stores/{store_id}/Profiles/Imports/{begun['importId']}/Cancel")
    assert answer.status_code == 202, answer.text
