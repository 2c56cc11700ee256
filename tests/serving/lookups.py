"""Lookups as raw requests, in a store with a person."""

import time
from dataclasses import dataclass

import httpx

from tests.conftest import PATIENCE
from tests.serving.raw_http import request

FOUND = b'{"idType":"phone","value":"+13175556789"}'
"""The body of a Lookup that finds the person."""


@dataclass(frozen=True)
class LookupStore:
    """`account`: the SID and the auth token of the account that has the store."""

    id: str
    account: tuple[str, str]

    @property
    def path(self) -> str:
        return f"/v1/Stores/{self.id}/Profiles/Lookup"

    def lookup(self, body: bytes = FOUND, *headers: str) -> bytes:
        headers = (*headers, "Content-Type: application/json", f"Content-Length: {len(body)}")
        return request("POST", self.path, *headers, credentials=self.account) + body


def make_lookup_store(url: str, account: tuple[str, str]) -> LookupStore:
    """Make a store with a person, and with a type whose values are found by similarity."""
    with httpx.Client(base_url=url, auth=account, timeout=PATIENCE) as client:
        accepted = client.post("/v1/ControlPlane/Stores", json={"displayName": "customers"})
        store_id: str = client.get(accepted.json()["statusUrl"]).json()["result"]["id"]
        path = f"/v1/ControlPlane/Stores/{store_id}/IdentityResolutionSettings"
        document = client.get(path).json()
        document["identifierConfigs"].append({"idType": "name", "matchingAlgo": "fuzzy", "enforceUnique": False})
        changed = client.put(path, json=document)
        while client.get(changed.headers["Location"]).json()["status"] != "COMPLETED":
            time.sleep(0.05)
        person = {"traits": {"Contact": {"phone": "+13175556789"}}}
        assert client.post(f"/v1/Stores/{store_id}/Profiles", json=person).is_success
    return LookupStore(store_id, account)
