"""The unmodified official SDK works with all resources."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client
from twilio.rest.memory.v1 import V1
from twilio.rest.memory.v1.bulk import BulkList
from twilio.rest.memory.v1.identifier import IdentifierList
from twilio.rest.memory.v1.identity_resolution_setting import IdentityResolutionSettingList
from twilio.rest.memory.v1.import_ import ImportList
from twilio.rest.memory.v1.lookup import LookupList
from twilio.rest.memory.v1.profile import ProfileList
from twilio.rest.memory.v1.store import StoreList
from twilio.rest.memory.v1.trait_group import TraitGroupList

from tests.sdk.conftest import (
    finished,
    identifiers_of,
    make_alias,
    make_profile,
    make_store,
    memory_of,
    operation_id,
)

PHONE = LookupList.Identifier({"idType": "phone", "value": "(317) 555-6789"})
LOYALTY = {
    "number": {
        "dataType": "STRING",
        "validationRule": {"ruleType": "STRING", "pattern": "^L-[0-9]+$", "minLength": 3, "maxLength": 12},
        "idTypePromotion": "chat",
    },
    "points": {"dataType": "NUMBER", "validationRule": {"ruleType": "NUMBER", "min": 0, "max": 1000}},
    "member": {"dataType": "BOOLEAN", "validationRule": {"ruleType": "BOOLEAN"}},
    "tags": {"dataType": "ARRAY", "validationRule": {"ruleType": "ARRAY", "minItems": 1, "maxItems": 2}},
}


def test_a_store_is_created_and_filled_and_a_lookup_finds_the_merged_profile(memory: V1) -> None:
    store_id = make_store(memory)
    first = make_profile(memory, store_id, email="a@example.com")
    second = make_profile(memory, store_id, phone="+13175556789")
    both = make_profile(memory, store_id, phone="+13175556789", email="a@example.com")
    assert second != first == both
    found = memory.lookup(store_id).create(PHONE)
    assert found.normalized_value == "+13175556789"
    assert found.profiles == [first]


def test_a_batch_is_written_and_its_operation_completes(memory: V1, store_id: str) -> None:
    profiles = [{"traits": {"Contact": {"email": f"{number}@example.com"}}} for number in range(3)]
    accepted = memory.bulk(store_id).update(BulkList.UpdateProfilesBulkRequest({"profiles": profiles}))
    assert accepted.message == "Profile batch accepted for processing."
    operation = finished(memory, accepted.status_url)
    assert (operation.operation_id, operation.created_at) == (accepted.operation_id, accepted.created_at)
    assert (operation.status, operation.result) == ("COMPLETED", {"type": "RESOURCE_ID", "id": store_id})
    assert len(memory.profiles(store_id).list()) == 3


def test_a_file_is_imported_and_its_results_are_fetched(memory: V1, store_id: str) -> None:
    content = b"E-mail,City\na@example.com,Gary\n,Rome\n"
    columns = [
        {"columnName": "E-mail", "traitGroup": "Contact", "traitName": "email"},
        {"columnName": "City", "traitGroup": "Contact", "traitName": "city"},
    ]
    request = {"filename": "people.csv", "fileSize": len(content), "columnMappings": columns}
    created = memory.imports(store_id).create(ImportList.CreateProfilesImportV2Request(request))
    assert memory.imports(store_id, created.import_id).fetch().status == "PENDING"
    assert httpx.put(created.url, content=content).status_code == 200
    operation = finished(memory, created.status_url)
    assert (operation.operation_id, operation.created_at) == (created.operation_id, created.created_at)
    assert (operation.status, operation.result) == ("COMPLETED", {"type": "RESOURCE_ID", "id": created.import_id})
    fetched = memory.imports(store_id, created.import_id).fetch()
    assert (fetched.status, fetched.filename, fetched.file_size) == ("COMPLETED", "people.csv", len(content))
    assert (fetched.summary, fetched.column_mappings) == ({"errors": 1, "warnings": 0}, columns)
    assert fetched.created_at == created.created_at <= fetched.updated_at
    another = memory.imports(store_id).create(ImportList.CreateProfilesImportV2Request(request))
    assert memory.imports(store_id).list(page_size=1) == [another.import_id, created.import_id]


def test_a_wrong_token_raises_401_with_its_code(
    memory: V1, store_id: str, service_url: str, synchronous_account: tuple[str, str]
) -> None:
    unauthorized = memory_of(service_url, Client(synchronous_account[0], "a wrong token"))
    with pytest.raises(TwilioRestException) as raised:
        unauthorized.lookup(store_id).create(PHONE)
    assert (raised.value.status, raised.value.code) == (401, 20003)


def test_a_refused_request_raises_its_code_and_reason(memory: V1, store_id: str) -> None:
    fax = LookupList.Identifier({"idType": "fax", "value": "1"})
    with pytest.raises(TwilioRestException, match="email, whatsapp, phone, chat, pushUserID") as raised:
        memory.lookup(store_id).create(fax)
    assert (raised.value.status, raised.value.code) == (400, 520046)


def test_an_accepted_request_contains_the_url_of_its_operation(memory: V1) -> None:
    request = StoreList.ServiceRequest({"displayName": "customers", "description": "All of them"})
    accepted = memory.stores.create_with_http_info(request)
    assert accepted.status_code == 202
    assert accepted.data.message == "Memory Store creation accepted for processing."
    assert accepted.headers["location"] == accepted.data.status_url
    operation = memory.operations(accepted.headers["operation-id"]).fetch()
    assert operation.status == "COMPLETED"
    assert operation.status_url == accepted.data.status_url
    assert operation.created_at <= operation.completed_at
    assert operation.result["type"] == "RESOURCE_ID"
    store = memory.stores(operation.result["id"]).fetch()
    assert (store.id, store.status, store.version) == (operation.result["id"], "ACTIVE", 1)
    assert (store.display_name, store.description) == ("customers", "All of them")


def test_stores_are_listed_page_by_page_without_the_caller_seeing_pages(memory: V1) -> None:
    created = [make_store(memory, f"store-{number}") for number in range(5)]
    assert memory.stores.list(page_size=2) == created[::-1]
    assert memory.stores.list(page_size=2, order_by="ASC") == created
    assert memory.stores.list(page_size=2, limit=3) == created[:1:-1]
    first = memory.stores.page(page_size=2)
    assert (list(first), first.page_size, first.key) == (created[:2:-1], 2, "stores")
    second = first.next_page()
    assert list(second) == created[2:0:-1]
    assert list(second.previous_page()) == created[:2:-1]


def test_pages_with_headers_have_the_size_that_the_sdk_asks_for_as_page_size(memory: V1, store_id: str) -> None:
    for number in range(3):
        make_profile(memory, store_id, chat=f"c-{number}")
    page = memory.profiles(store_id).page_with_http_info(page_size=2).data
    assert (page.page_size, len(list(page))) == (2, 2)


def test_a_store_is_changed_only_with_its_current_etag(memory: V1, store_id: str) -> None:
    context = memory.stores(store_id)
    etag = context.fetch_with_http_info().headers["etag"]
    renamed = context.patch(StoreList.PatchStoreRequest({"displayName": "clients"}), if_match=etag)
    assert finished(memory, renamed.status_url).status == "COMPLETED"
    assert (context.fetch().display_name, context.fetch().version) == ("clients", 2)
    with pytest.raises(TwilioRestException) as raised:
        context.patch(StoreList.PatchStoreRequest({"displayName": "others"}), if_match=etag)
    assert (raised.value.status, raised.value.code) == (412, 520043)
    assert context.fetch().display_name == "clients"


def _change(memory: V1, store_id: str, id_type: str, if_match: str | None = None, **changes: object) -> Any:
    """Change one configuration as a user of the SDK does: fetch the settings, change them, and send them back."""
    settings = memory.identity_resolution_settings(store_id)
    current = settings.fetch()
    configs: list[Any] = [
        config | changes if config["idType"] == id_type else config for config in current.identifier_configs
    ]
    body = {"identifierConfigs": configs, "matchingRules": current.matching_rules}
    core = IdentityResolutionSettingList.IdentityResolutionSettingsCore(body)
    return settings.update(core) if if_match is None else settings.update(core, if_match=if_match)


def test_settings_are_changed_with_data_in_the_store_and_stored_values_follow(memory: V1, store_id: str) -> None:
    profile_id = make_profile(memory, store_id, chat="MiXeD@x")
    accepted = _change(memory, store_id, "chat", normalization="email")
    operation = finished(memory, accepted.status_url)
    assert (operation.status, operation.result["id"]) == ("COMPLETED", store_id)
    settings = memory.identity_resolution_settings(store_id).fetch()
    assert settings.version == 2
    assert settings.matching_rules == ["email", "whatsapp", "phone", "chat", "pushUserID"]
    assert identifiers_of(memory, store_id, profile_id) == {"chat": ["mixed@x"]}


def test_settings_that_stored_values_do_not_allow_fail_with_the_reason_and_nothing_changes(
    memory: V1, store_id: str
) -> None:
    profile_id = make_profile(memory, store_id, chat="no number")
    accepted = _change(memory, store_id, "chat", normalization="phone")
    operation = finished(memory, accepted.status_url)
    assert operation.status == "FAILED"
    assert operation.error["code"] == 520024
    assert "1" in operation.error["detail"]
    assert memory.identity_resolution_settings(store_id).fetch().version == 1
    assert identifiers_of(memory, store_id, profile_id) == {"chat": ["no number"]}


def test_settings_are_changed_only_with_their_current_etag(memory: V1, store_id: str) -> None:
    etag = memory.identity_resolution_settings(store_id).fetch_with_http_info().headers["etag"]
    accepted = _change(memory, store_id, "chat", if_match=etag, limit=3)
    assert finished(memory, accepted.status_url).status == "COMPLETED"
    with pytest.raises(TwilioRestException) as raised:
        _change(memory, store_id, "chat", if_match=etag, limit=4)
    assert (raised.value.status, raised.value.code) == (412, 520043)


def test_the_rules_and_the_promotion_of_a_created_trait_group_are_applied(memory: V1, store_id: str) -> None:
    groups = memory.trait_groups(store_id)
    request = TraitGroupList.TraitGroupRequest({"displayName": "Loyalty", "description": "Cards", "traits": LOYALTY})
    assert finished(memory, groups.create(request).status_url).result["id"] == "Loyalty"
    assert groups("Loyalty").fetch().trait_group == {
        "displayName": "Loyalty", "description": "Cards", "traits": LOYALTY, "version": 1,
    }  # fmt: skip
    traits = {"number": "L-12345", "points": 7, "member": True, "tags": ["gold"]}
    created = memory.profiles(store_id).create(ProfileList.ProfileData({"traits": {"Loyalty": traits}}))
    chat = LookupList.Identifier({"idType": "chat", "value": "L-12345"})
    assert memory.lookup(store_id).create(chat).profiles == [created.id]
    broken: dict[str, Any]
    for broken in ({"number": "12345"}, {"points": 1001}, {"member": "yes"}, {"tags": []}):
        with pytest.raises(TwilioRestException, match=next(iter(broken))) as raised:
            memory.profiles(store_id)(created.id).patch(ProfileList.ProfilePatch({"traits": {"Loyalty": broken}}))
        assert (raised.value.status, raised.value.code) == (400, 520005)
    assert memory.profiles(store_id)(created.id).fetch().traits == {"Loyalty": traits}


def test_trait_groups_are_listed_page_by_page_with_their_traits_on_request(memory: V1, store_id: str) -> None:
    groups = memory.trait_groups(store_id)
    for name in ("One", "Two", "Three"):
        groups.create(
            TraitGroupList.TraitGroupRequest({"displayName": name, "traits": {"plan": {"dataType": "STRING"}}})
        )
    listed = groups.list(page_size=2)
    assert [group.display_name for group in listed] == ["Three", "Two", "One", "Contact"]
    assert [group.traits for group in listed] == [None] * 4
    with_traits = groups.list(page_size=2, include_traits=True)
    assert [min(group.traits) for group in with_traits] == ["plan", "plan", "plan", "chat"]


def test_a_trait_group_is_changed_only_with_its_current_etag_and_deleted_with_its_values(
    memory: V1, store_id: str
) -> None:
    groups = memory.trait_groups(store_id)
    plan = {"plan": {"dataType": "STRING"}, "old": {"dataType": "STRING"}}
    groups.create(TraitGroupList.TraitGroupRequest({"displayName": "Billing", "traits": plan}))
    billing = groups("Billing")
    profile = {"traits": {"Contact": {"chat": "c"}, "Billing": {"plan": "free", "old": "x"}}}
    created = memory.profiles(store_id).create(ProfileList.ProfileData(profile))
    etag = billing.fetch_with_http_info().headers["etag"]
    changes = {"old": {"dataType": ""}, "seats": {"dataType": "NUMBER"}}
    patch = TraitGroupList.PatchTraitGroupRequest({"traits": changes})
    assert finished(memory, billing.patch(patch, if_match=etag).status_url).status == "COMPLETED"
    assert billing.fetch().trait_group["traits"].keys() == {"plan", "seats"}
    assert memory.profiles(store_id)(created.id).fetch().traits["Billing"] == {"plan": "free"}
    with pytest.raises(TwilioRestException) as raised:
        billing.patch(patch, if_match=etag)
    assert (raised.value.status, raised.value.code) == (412, 520043)
    assert finished(memory, billing.delete()["statusUrl"]).status == "COMPLETED"
    assert memory.profiles(store_id)(created.id).fetch().traits == {"Contact": {"chat": "c"}}
    with pytest.raises(TwilioRestException) as raised:
        billing.fetch()
    assert (raised.value.status, raised.value.code) == (404, 520047)


def test_a_profiles_traits_are_changed_and_fetched_by_group(memory: V1, store_id: str) -> None:
    memory.trait_groups(store_id).create(
        TraitGroupList.TraitGroupRequest({"displayName": "Billing", "traits": {"plan": {"dataType": "STRING"}}})
    )
    profile_id = make_profile(memory, store_id, email="a@example.com", city="Indianapolis", firstName="Alyssa")
    profile = memory.profiles(store_id)(profile_id)
    changes = {"Contact": {"firstName": "Alice"}, "Billing": {"plan": "free"}}
    changed = profile.patch(ProfileList.ProfilePatch({"traits": changes}))
    assert changed.message == "Trait modifications accepted for processing."
    contact = {"email": "a@example.com", "city": "Indianapolis", "firstName": "Alice"}
    fetched = profile.fetch()
    assert fetched.id == profile_id
    assert fetched.created_at is not None
    assert fetched.traits == {"Contact": contact, "Billing": {"plan": "free"}}
    assert profile.fetch(trait_groups="Contact").traits == {"Contact": contact}
    assert profile.fetch(trait_groups="Billing,Contact").traits == fetched.traits


def test_profiles_are_listed_page_by_page_without_the_caller_seeing_pages(memory: V1, store_id: str) -> None:
    created = [make_profile(memory, store_id, chat=f"c-{number}") for number in range(7)]
    profiles = memory.profiles(store_id)
    assert profiles.list(page_size=3) == created[::-1]
    assert list(profiles.stream(page_size=3, order_by="ASC")) == created


def test_profiles_are_listed_beyond_the_first_page_even_if_the_sdk_repeats_only_the_token(
    memory: V1, store_id: str
) -> None:
    created = [make_profile(memory, store_id, chat=f"c-{number}") for number in range(51)]
    listed = memory.profiles(store_id).list_with_http_info(order_by="ASC")
    assert (listed.status_code, listed.data) == (200, created)


def test_traits_are_listed_page_by_page_with_the_time_of_their_last_change(memory: V1, store_id: str) -> None:
    profile_id = make_profile(memory, store_id, email="a@example.com", city="Indianapolis", firstName="Alyssa")
    listed = memory.traits(store_id, profile_id).list(page_size=2, trait_groups="Contact")
    assert {(trait.trait_group, trait.name, trait.value) for trait in listed} == {
        ("Contact", "email", "a@example.com"), ("Contact", "city", "Indianapolis"), ("Contact", "firstName", "Alyssa"),
    }  # fmt: skip
    assert len(listed) == 3
    created_at = memory.profiles(store_id)(profile_id).fetch().created_at
    assert {trait.timestamp for trait in listed} == {created_at}


def test_identifiers_are_added_listed_replaced_and_removed(memory: V1, store_id: str) -> None:
    profile_id = make_profile(memory, store_id, email="a@example.com")
    identifiers = memory.identifiers(store_id, profile_id)
    for value in ("(317) 555-6789", "+44 20 7946 0958", "+49 30 123456"):
        added = identifiers.create(IdentifierList.Identifier({"idType": "phone", "value": value}))
        assert added.message == "Identifier accepted for processing."
    numbers = ["+13175556789", "+442079460958", "+4930123456"]
    assert identifiers_of(memory, store_id, profile_id) == {"email": ["a@example.com"], "phone": numbers}
    assert identifiers("phone").fetch().values == numbers
    change = {"idType": "phone", "oldValue": numbers[0], "newValue": "1-317-555-6798"}
    identifiers("phone").patch(IdentifierList.IdentifierUpdate(change))
    assert identifiers("phone").fetch().values == [*numbers[1:], "+13175556798"]
    identifiers("phone").delete()
    assert identifiers("phone").fetch().values == ["+4930123456", "+13175556798"]
    identifiers("phone").delete(remove_all=True)
    with pytest.raises(TwilioRestException) as raised:
        identifiers("phone").fetch()
    assert (raised.value.status, raised.value.code) == (404, 20404)
    with pytest.raises(TwilioRestException) as raised:
        identifiers("phone").delete()
    assert (raised.value.status, raised.value.code) == (404, 520017)


def test_adding_an_identifier_of_another_profile_merges(memory: V1, store_id: str) -> None:
    first = make_profile(memory, store_id, email="a@example.com")
    second = make_profile(memory, store_id, phone="+13175556789")
    email = IdentifierList.Identifier({"idType": "email", "value": "A@example.com"})
    memory.identifiers(store_id, second).create(email)
    assert memory.lookup(store_id).create(PHONE).profiles == [first]


def test_an_alias_is_read_as_a_redirect_to_the_canonical_profile(memory: V1, store_id: str) -> None:
    alias, canonical = make_alias(memory, store_id)
    alias_profile = memory.profiles(store_id)(alias)
    moved = alias_profile.fetch()
    assert (moved.message, moved.id) == ("This resource has moved.", None)
    response = alias_profile.fetch_with_http_info(trait_groups="Contact")
    assert response.status_code == 301
    assert response.headers["canonical-profile-id"] == canonical
    assert response.headers["location"].endswith(f"/v1/Stores/{store_id}/Profiles/{canonical}?traitGroups=Contact")
    alias_identifiers = memory.identifiers(store_id, alias)("phone").fetch_with_http_info()
    assert alias_identifiers.status_code == 301
    assert alias_identifiers.headers["location"].endswith(f"/Profiles/{canonical}/Identifiers/phone")
    assert memory.profiles(store_id).list() == [canonical]


def test_a_write_to_an_alias_raises_308_and_changes_nothing(memory: V1, store_id: str) -> None:
    alias, canonical = make_alias(memory, store_id)
    before = memory.profiles(store_id)(canonical).fetch().traits
    alias_identifiers = memory.identifiers(store_id, alias)
    phone = {"idType": "phone", "oldValue": "+13175556789", "newValue": "+442079460958"}
    writes: list[Callable[[], object]] = [
        lambda: memory.profiles(store_id)(alias).patch(ProfileList.ProfilePatch({"traits": {"Contact": {}}})),
        lambda: alias_identifiers.create(IdentifierList.Identifier({"idType": "phone", "value": "+442079460958"})),
        lambda: alias_identifiers("phone").patch(IdentifierList.IdentifierUpdate(phone)),
        lambda: alias_identifiers("phone").delete(),
        lambda: memory.profiles(store_id)(alias).delete(),
    ]
    for write in writes:
        with pytest.raises(TwilioRestException, match="This resource has moved") as raised:
            write()
        assert raised.value.status == 308
    assert memory.profiles(store_id)(canonical).fetch().traits == before
    assert identifiers_of(memory, store_id, canonical) == {"email": ["a@example.com"], "phone": ["+13175556789"]}


def test_an_erased_profile_is_not_found_by_its_ids_or_its_number(memory: V1, store_id: str) -> None:
    alias, canonical = make_alias(memory, store_id)
    assert memory.profiles(store_id)(canonical).delete() == {"message": "Profile accepted for deletion."}
    for erased_id in (canonical, alias):
        with pytest.raises(TwilioRestException) as raised:
            memory.profiles(store_id)(erased_id).fetch()
        assert (raised.value.status, raised.value.code) == (404, 20404)
    assert memory.lookup(store_id).create(PHONE).profiles == []


def test_a_deleted_store_is_not_found_and_its_operation_completes(memory: V1, store_id: str) -> None:
    make_profile(memory, store_id, email="a@example.com")
    deleted = memory.stores(store_id).delete_with_http_info()
    assert deleted.status_code == 202
    assert operation_id(deleted.data["statusUrl"]) == deleted.headers["operation-id"]
    with pytest.raises(TwilioRestException) as raised:
        memory.stores(store_id).fetch()
    assert (raised.value.status, raised.value.code) == (404, 520041)
    assert memory.stores.list() == []
    assert finished(memory, deleted.data["statusUrl"]).status == "COMPLETED"
