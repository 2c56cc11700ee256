"""The official `twilio` package as the client. Only its base URL is changed."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client
from twilio.rest.memory.v1 import V1
from twilio.rest.memory.v1.operation import OperationInstance
from twilio.rest.memory.v1.profile import ProfileList
from twilio.rest.memory.v1.store import StoreList

from tests.conftest import PATIENCE


@pytest.fixture
def memory(service_url: str, synchronous_account: tuple[str, str]) -> V1:
    return memory_of(service_url, Client(*synchronous_account))


@pytest.fixture
async def asynchronous(service_url: str, synchronous_account: tuple[str, str]) -> AsyncIterator[V1]:
    async with AsyncTwilioHttpClient() as http_client:
        yield memory_of(service_url, Client(*synchronous_account, http_client=http_client))


@pytest.fixture
def store_id(memory: V1) -> str:
    return make_store(memory)


def memory_of(base_url: str, client: Client) -> V1:
    client.memory.base_url = base_url
    return client.memory.v1


def make_store(memory: V1, name: str = "customers") -> str:
    accepted = memory.stores.create(StoreList.ServiceRequest({"displayName": name}))
    store_id: str = finished(memory, accepted.status_url).result["id"]
    return store_id


def make_profile(memory: V1, store_id: str, **contact: object) -> str:
    created = memory.profiles(store_id).create(ProfileList.ProfileData({"traits": {"Contact": contact}}))
    profile_id: str = created.id
    return profile_id


def make_alias(memory: V1, store_id: str) -> tuple[str, str]:
    """Merge two profiles, and return the ID of the merged one and the canonical ID."""
    canonical = make_profile(memory, store_id, email="a@example.com")
    alias = make_profile(memory, store_id, phone="+13175556789")
    assert make_profile(memory, store_id, phone="+13175556789", email="a@example.com") == canonical
    return alias, canonical


def operation_id(status_url: str) -> str:
    return status_url.rpartition("/")[2]


def finished(memory: V1, status_url: str) -> OperationInstance:
    """Poll the operation until it has ended, and return it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        operation = memory.operations(operation_id(status_url)).fetch()
        if operation.status not in ("PENDING", "RUNNING"):
            return operation
        time.sleep(0.05)
    pytest.fail("the operation does not end")


def identifiers_of(memory: V1, store_id: str, profile_id: str) -> dict[str, list[str]]:
    found: list[Any] = memory.identifiers(store_id, profile_id).list()
    return {each.id_type: each.values for each in found}
