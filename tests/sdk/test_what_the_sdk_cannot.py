"""The limitations of the official SDK (twilio 9.13) with any server, and what to do instead.

If one of these tests fails, a newer SDK no longer has the limitation: then change docs/clients.md, and
test the new ability.
"""

import asyncio

import httpx
import pytest
from requests.adapters import HTTPAdapter
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from twilio.rest.memory.v1 import V1
from twilio.rest.memory.v1.lookup import LookupList
from twilio.rest.memory.v1.profile import ProfileList
from twilio.rest.memory.v1.trait_group import TraitGroupList

from profile_lookup.database.pool import Database
from profile_lookup.settings import Settings
from profile_lookup.token_buckets import RateLimit
from tests.rate_limits.keys import make_key
from tests.sdk.conftest import make_alias, make_profile, memory_of

ignores_aiohttp_deprecation = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning"
)  # the package uses a deprecated part of it


@ignores_aiohttp_deprecation
async def test_the_asynchronous_client_sends_form_data_and_declares_it_as_json(asynchronous: V1, store_id: str) -> None:
    """Instead, run the synchronous client in a thread."""
    with pytest.raises(TwilioRestException, match="expected JSON"):
        await asynchronous.lookup(store_id).create_async(LookupList.Identifier({"idType": "phone", "value": "1"}))


@ignores_aiohttp_deprecation
@pytest.mark.filterwarnings("ignore:coroutine 'AsyncTwilioHttpClient.request' was never awaited:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_the_asynchronous_client_cannot_list_beyond_the_first_page(
    memory: V1, asynchronous: V1, store_id: str
) -> None:
    """It does not await the second page. Instead, call `page_async` with the `next_token` of the first."""
    for number in range(3):
        make_profile(memory, store_id, chat=f"c-{number}")
    with pytest.raises(AttributeError, match="'coroutine' object"):
        await asynchronous.profiles(store_id).list_async(page_size=2)
    with pytest.raises(TypeError, match="'uri'"):
        await asynchronous.profiles(store_id).list_with_http_info_async()


def test_null_is_never_sent_so_no_trait_can_be_removed(
    memory: V1, store_id: str, service_url: str, synchronous_account: tuple[str, str]
) -> None:
    """Instead, send the PATCH with another HTTP client."""
    profile_id = make_profile(memory, store_id, email="a@example.com", city="Indianapolis")
    profile = memory.profiles(store_id)(profile_id)
    removal = {"traits": {"Contact": {"city": None}}}
    profile.patch(ProfileList.ProfilePatch(removal))
    assert profile.fetch().traits["Contact"]["city"] == "Indianapolis"
    address = f"{service_url}/v1/Stores/{store_id}/Profiles/{profile_id}"
    assert httpx.patch(address, json=removal, auth=synchronous_account).status_code == 202
    assert profile.fetch().traits == {"Contact": {"email": "a@example.com"}}


def test_the_lists_of_an_alias_raise_errors_without_the_canonical_id(memory: V1, store_id: str) -> None:
    """Instead, fetch the profile `…_with_http_info`, whose headers contain the canonical ID."""
    alias, _ = make_alias(memory, store_id)
    with pytest.raises(TwilioException, match="Unable to fetch page"):
        memory.traits(store_id, alias).list()
    with pytest.raises(KeyError, match="identifiers"):
        memory.identifiers(store_id, alias).list()


def test_identifiers_cannot_be_listed_with_their_headers(memory: V1, store_id: str) -> None:
    profile_id = make_profile(memory, store_id, chat="c")
    with pytest.raises(AttributeError, match="stream_with_http_info"):
        memory.identifiers(store_id, profile_id).list_with_http_info()


def test_header_names_are_case_sensitive(memory: V1, store_id: str) -> None:
    """HTTP ignores the case of header names, but the SDK puts them into a plain dict, where ours are in lower case."""
    headers = memory.stores(store_id).fetch_with_http_info().headers
    assert "etag" in headers
    assert "ETag" not in headers


def test_a_validation_rule_cannot_be_parsed_into_the_class_of_the_sdk(memory: V1, store_id: str) -> None:
    """Answers contain plain dicts. Instead, use these directly."""
    traits = {"plan": {"dataType": "STRING", "validationRule": {"ruleType": "STRING", "maxLength": 5}}}
    memory.trait_groups(store_id).create(TraitGroupList.TraitGroupRequest({"displayName": "Billing", "traits": traits}))
    answer = memory.trait_groups(store_id)("Billing").fetch().trait_group
    assert answer["traits"] == traits
    with pytest.raises(NameError):
        TraitGroupList.TraitGroup(answer)


@pytest.fixture
def seldom_key(settings: Settings, synchronous_account: tuple[str, str]) -> tuple[str, str]:
    """A key that may send one request per second."""
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()

    async def make() -> tuple[str, str]:
        database = Database(url, pool_size=1)
        try:
            return await make_key(database, synchronous_account[0], RateLimit(1, 1))
        finally:
            await database.close()

    return asyncio.run(make())


def test_retries_repeat_no_lookup_that_is_over_a_limit(
    service_url: str, store_id: str, seldom_key: tuple[str, str]
) -> None:
    """`max_retries` counts for `https` alone, and not for POST and PATCH. Instead, wait yourself, and try again."""
    http_client = TwilioHttpClient(max_retries=3)
    http_client.session.mount("http://", HTTPAdapter(max_retries=3))  # as the SDK does for https
    limited = memory_of(service_url, Client(*seldom_key, http_client=http_client))
    phone = LookupList.Identifier({"idType": "phone", "value": "+13175556789"})
    with pytest.raises(TwilioRestException, match="Too many requests") as refusal:
        [limited.lookup(store_id).create(phone) for _ in range(100)]
    assert (refusal.value.status, refusal.value.code) == (429, 20429)
    assert limited.stores.page() is not None  # a GET is repeated after `Retry-After`
