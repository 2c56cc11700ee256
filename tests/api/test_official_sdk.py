"""The official `twilio` package as the client; nothing of it is changed but its base URL."""

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client
from twilio.rest.memory.v1.lookup import LookupList
from twilio.rest.memory.v1.profile import ProfileList
from twilio.rest.memory.v1.store import StoreList

PHONE = LookupList.Identifier({"idType": "phone", "value": "(317) 555-6789"})


def _client(base_url: str, credentials: tuple[str, str]) -> Client:
    client = Client(*credentials)
    client.memory.base_url = base_url
    return client


def _make_store(client: Client) -> str:
    accepted = client.memory.v1.stores.create(StoreList.ServiceRequest({"displayName": "customers"}))
    operation = client.memory.v1.operations(accepted.status_url.rpartition("/")[2]).fetch()
    assert operation.status == "COMPLETED"
    store_id: str = operation.result["id"]
    return store_id


def _profile(**contact: str) -> ProfileList.ProfileData:
    return ProfileList.ProfileData({"traits": {"Contact": contact}})


def test_the_sdk_makes_a_store_fills_it_and_looks_up_who_merged(served: str, account_served: tuple[str, str]) -> None:
    client = _client(served, account_served)
    store_id = _make_store(client)
    profiles = client.memory.v1.profiles(store_id)
    first = profiles.create(_profile(email="a@example.com"))
    second = profiles.create(_profile(phone="+13175556789"))
    both = profiles.create(_profile(phone="+13175556789", email="a@example.com"))
    assert second.id != first.id == both.id
    found = client.memory.v1.lookup(store_id).create(PHONE)
    assert found.normalized_value == "+13175556789"
    assert found.profiles == [first.id]


def test_the_sdk_raises_a_wrong_token_as_401_with_its_code(served: str, account_served: tuple[str, str]) -> None:
    store_id = _make_store(_client(served, account_served))
    stranger = _client(served, (account_served[0], "a wrong token"))
    with pytest.raises(TwilioRestException) as raised:
        stranger.memory.v1.lookup(store_id).create(PHONE)
    assert (raised.value.status, raised.value.code) == (401, 20003)


def test_the_sdk_raises_a_refusal_with_its_code_and_reason(served: str, account_served: tuple[str, str]) -> None:
    client = _client(served, account_served)
    fax = LookupList.Identifier({"idType": "fax", "value": "1"})
    with pytest.raises(TwilioRestException, match="email, whatsapp, phone, chat") as raised:
        client.memory.v1.lookup(_make_store(client)).create(fax)
    assert (raised.value.status, raised.value.code) == (400, 520046)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the package, in how it uses aiohttp
async def test_the_asynchronous_sdk_reads_but_sends_no_json(served: str, account_served: tuple[str, str]) -> None:
    """twilio 9.13 sends form data under the content type of JSON: to this service as to any other.

    The README says so. When this fails because a body gets through, it is time to say the opposite.
    """
    synchronous = _client(served, account_served)
    store_id = _make_store(synchronous)
    accepted = synchronous.memory.v1.stores.create(StoreList.ServiceRequest({"displayName": "other"}))
    async with AsyncTwilioHttpClient() as http_client:
        client = Client(*account_served, http_client=http_client)
        client.memory.base_url = served
        operation = await client.memory.v1.operations(accepted.status_url.rpartition("/")[2]).fetch_async()
        assert operation.status == "COMPLETED"
        with pytest.raises(TwilioRestException, match="expected JSON"):
            await client.memory.v1.lookup(store_id).create_async(PHONE)
