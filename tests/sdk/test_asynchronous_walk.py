"""The asynchronous client of the official SDK can read, one page at a time, and delete."""

import httpx
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest.memory.v1 import V1
from twilio.rest.memory.v1.store import StoreList
from twilio.rest.memory.v1.trait_group import TraitGroupList

from tests.sdk.conftest import finished, make_alias, make_profile, make_store, operation_id

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the package uses a deprecated part of aiohttp


async def test_a_store_its_settings_and_its_operation_can_be_read(memory: V1, asynchronous: V1) -> None:
    accepted = memory.stores.create(StoreList.ServiceRequest({"displayName": "customers"}))
    operation = await asynchronous.operations(operation_id(accepted.status_url)).fetch_async()
    assert operation.status == "COMPLETED"
    store_id = operation.result["id"]
    store = await asynchronous.stores(store_id).fetch_with_http_info_async()
    assert (store.data.id, store.data.display_name) == (store_id, "customers")
    # aiohttp changes the case of header names, and the package puts them into a plain dict.
    assert httpx.Headers(store.headers)["ETag"] == memory.stores(store_id).fetch_with_http_info().headers["etag"]
    settings = await asynchronous.identity_resolution_settings(store_id).fetch_async()
    assert settings.matching_rules == ["email", "whatsapp", "phone", "chat", "pushUserID"]
    group = await asynchronous.trait_groups(store_id)("Contact").fetch_async()
    assert group.trait_group["traits"]["phone"] == {"dataType": "STRING", "idTypePromotion": "phone"}
    (group,) = await asynchronous.trait_groups(store_id).list_async(include_traits=True)
    assert group.traits["phone"] == {"dataType": "STRING", "idTypePromotion": "phone"}


async def test_a_profile_its_traits_and_its_identifiers_can_be_read(
    memory: V1, asynchronous: V1, store_id: str
) -> None:
    profile_id = make_profile(memory, store_id, email="a@example.com", phone="+13175556789")
    profile = await asynchronous.profiles(store_id)(profile_id).fetch_async(trait_groups="Contact")
    assert profile.traits == {"Contact": {"email": "a@example.com", "phone": "+13175556789"}}
    traits = await asynchronous.traits(store_id, profile_id).list_async()
    assert {trait.name: trait.value for trait in traits} == profile.traits["Contact"]
    assert {trait.timestamp for trait in traits} == {profile.created_at}
    identifiers = await asynchronous.identifiers(store_id, profile_id).list_async()
    assert [(each.id_type, each.values) for each in identifiers] == [
        ("email", ["a@example.com"]), ("phone", ["+13175556789"]),
    ]  # fmt: skip
    phone = await asynchronous.identifiers(store_id, profile_id)("phone").fetch_async()
    assert phone.values == ["+13175556789"]


async def test_lists_can_be_read_page_by_page_with_the_token(memory: V1, asynchronous: V1, store_id: str) -> None:
    created = [make_profile(memory, store_id, chat=f"c-{number}") for number in range(5)]
    profiles = asynchronous.profiles(store_id)
    page = await profiles.page_async(page_size=2, order_by="ASC")
    listed = list(page)
    while page.next_token:
        page = await profiles.page_async(page_size=2, order_by="ASC", page_token=page.next_token)
        listed += page
    assert listed == created
    assert await profiles.list_async() == created[::-1]
    assert await profiles.list_async(limit=2) == created[:2:-1]
    stores = [store_id, make_store(memory, "other")]
    assert await asynchronous.stores.list_async() == stores[::-1]


async def test_an_alias_is_read_as_a_redirect_and_a_missing_resource_raises_404(
    memory: V1, asynchronous: V1, store_id: str
) -> None:
    alias, canonical = make_alias(memory, store_id)
    moved = await asynchronous.profiles(store_id)(alias).fetch_with_http_info_async()
    assert (moved.status_code, moved.data.message) == (301, "This resource has moved.")
    assert moved.headers["canonical-profile-id"] == canonical
    with pytest.raises(TwilioRestException) as raised:
        await asynchronous.profiles(store_id)(alias).delete_async()
    assert raised.value.status == 308
    with pytest.raises(TwilioRestException) as raised:
        await asynchronous.trait_groups(store_id)("Billing").fetch_async()
    assert (raised.value.status, raised.value.code) == (404, 520047)


async def test_every_resource_can_be_deleted(memory: V1, asynchronous: V1, store_id: str) -> None:
    memory.trait_groups(store_id).create(TraitGroupList.TraitGroupRequest({"displayName": "Billing"}))
    profile_id = make_profile(memory, store_id, email="a@example.com", phone="+13175556789")
    phone = asynchronous.identifiers(store_id, profile_id)("phone")
    assert await phone.delete_async(remove_all=True) == {"message": "Identifier removal accepted."}
    profile = asynchronous.profiles(store_id)(profile_id)
    assert await profile.delete_async() == {"message": "Profile accepted for deletion."}
    for resource in (asynchronous.trait_groups(store_id)("Billing"), asynchronous.stores(store_id)):
        deleted = await resource.delete_async()
        assert finished(memory, deleted["statusUrl"]).status == "COMPLETED"
    with pytest.raises(TwilioRestException) as raised:
        await asynchronous.stores(store_id).fetch_async()
    assert (raised.value.status, raised.value.code) == (404, 520041)
