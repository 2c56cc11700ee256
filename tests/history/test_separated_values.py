"""Profiles that a split keeps apart stay two when another normalization makes their values one."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.identity.history.event import Event
from profile_lookup.web import ids
from tests.conftest import change_settings, finished, look_up, make_profile
from tests.database.contents import stored_events
from tests.database.former_values import insert_former, make_unversioned, renormalize, result_of_renormalization
from tests.history.splits import events_of, joins_of, merged, parts_after, separated_from

Json = dict[str, Any]
ANN, BOB = "ann@example.com", "+13175550001"
LOWER = {"normalization": "email"}
OLD, NEW = "+553196883193", "+5531996883193"


async def separated(client: httpx.AsyncClient, store_id: str, database: Database) -> tuple[str, str]:
    """Make two profiles that a split keeps apart."""
    ann, bob = await merged(client, store_id)
    await parts_after(client, store_id, ann, await joins_of(database, ann))
    return ann, bob


async def events(client: httpx.AsyncClient, store_id: str, profile: str, kind: str) -> list[Json]:
    answer = (await client.get(f"/v1/Stores/{store_id}/Profiles/{profile}/Events")).json()
    return [each for each in answer["events"] if each["kind"] == kind]


async def values(client: httpx.AsyncClient, store_id: str, profile: str, id_type: str) -> list[str]:
    answer = await client.get(f"/v1/Stores/{store_id}/Profiles/{profile}/Identifiers/{id_type}")
    found: list[str] = answer.json().get("values", [])
    return found


@pytest.mark.parametrize("first", ["ann", "bob"])
async def test_the_profile_that_had_the_value_first_keeps_it(
    client: httpx.AsyncClient, store_id: str, database: Database, first: str
) -> None:
    ann, bob = await separated(client, store_id, database)
    chats = [(ann, {"email": ANN, "chat": "ADA@x"}), (bob, {"phone": BOB, "chat": "ada@x"})]
    for profile, sent in chats if first == "ann" else reversed(chats):
        assert await make_profile(client, store_id, **sent) == profile
    assert (await change_settings(client, store_id, chat=LOWER))["status"] == "COMPLETED"
    keeper, loser = (ann, bob) if first == "ann" else (bob, ann)
    assert await look_up(client, store_id, "chat", "Ada@x") == [keeper]
    assert await values(client, store_id, loser, "chat") == []
    assert await look_up(client, store_id, "email", ANN) == [ann]
    assert await look_up(client, store_id, "phone", BOB) == [bob]
    (event,) = await events(client, store_id, loser, "renormalized")
    assert event["removed"] == [{"idType": "chat", "value": "ada@x"}]
    assert event["actor"]["type"] == "operation"
    assert await events(client, store_id, keeper, "renormalized") == []
    assert await stored_events(database, "merged") == []


async def test_two_forms_of_one_value_that_a_profile_loses_are_one_in_its_event(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, bob = await separated(client, store_id, database)
    for profile, sent in (
        (ann, {"email": ANN, "chat": "ADA@x"}), (bob, {"phone": BOB, "chat": "ada@x"}),
        (bob, {"phone": BOB, "chat": "Ada@x"}), (bob, {"phone": BOB, "chat": "bob@x"}),
    ):  # fmt: skip
        assert await make_profile(client, store_id, **sent) == profile
    await change_settings(client, store_id, chat=LOWER)
    assert await values(client, store_id, bob, "chat") == ["bob@x"]
    (event,) = await events(client, store_id, bob, "renormalized")
    assert event["removed"] == [{"idType": "chat", "value": "ada@x"}]


async def test_a_third_profile_joins_the_first_holder_and_is_kept_apart_from_the_other(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, bob = await separated(client, store_id, database)
    cleo = await make_profile(client, store_id, chat="ADA@x", whatsapp="cleo")
    assert await make_profile(client, store_id, email=ANN, chat="Ada@x") == ann
    assert await make_profile(client, store_id, phone=BOB, chat="ada@x") == bob
    await change_settings(client, store_id, chat=LOWER)
    assert await look_up(client, store_id, "chat", "ada@x") == [ann]
    moved = await client.get(f"/v1/Stores/{store_id}/Profiles/{cleo}")
    assert moved.headers["Canonical-Profile-Id"] == ann
    assert await separated_from(client, store_id, bob) == [ann]
    (merge,) = await stored_events(database, "merged")
    assert [each.id for each in merge.absorbed] == [ids.decoded(cleo)]


async def test_the_counted_names_of_a_value_stay_with_the_profile_that_keeps_it(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, bob = await separated(client, store_id, database)
    for first_name in ("Ann", "Bob", "Cy"):
        assert await make_profile(client, store_id, email=ANN, chat="ADA@x", firstName=first_name) == ann
    for first_name in ("Dee", "Eve", "Fay"):
        assert await make_profile(client, store_id, phone=BOB, chat="ada@x", firstName=first_name) == bob
    async with database.statements() as connection:
        query = text(
            "select names from identifier where value = any (array['ADA@x', 'ada@x']) order by value collate \"C\""
        )
        of_ann, of_bob = (await connection.execute(query)).scalars()
    await change_settings(client, store_id, chat=LOWER)
    async with database.statements() as connection:
        assert await connection.scalar(text("select names from identifier where value = 'ada@x'")) == of_ann
    assert set(of_ann).isdisjoint(of_bob)


async def test_a_preview_says_who_loses_a_value(client: httpx.AsyncClient, store_id: str, database: Database) -> None:
    ann, bob = await separated(client, store_id, database)
    await make_profile(client, store_id, email=ANN, chat="ADA@x")
    await make_profile(client, store_id, phone=BOB, chat="ada@x")
    path = f"/v1/ControlPlane/Stores/{store_id}/IdentityResolutionSettings"
    body = (await client.get(path)).json()
    configs = [each | LOWER if each["idType"] == "chat" else each for each in body["identifierConfigs"]]
    accepted = await client.post(f"{path}/Preview", json=body | {"identifierConfigs": configs})
    results = (await client.get((await finished(client, accepted))["resultUrl"])).json()["results"]
    assert results == [
        {
            "outcome": "removed",
            "profiles": [bob],
            "by": {"idType": "chat", "value": "ada@x"},
            "reason": "separations: a profile from which this one is kept apart had this value first",
        }
    ]
    assert await look_up(client, store_id, "chat", "ADA@x") == [ann]


async def test_a_split_does_not_give_back_what_was_lost(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, bob = await separated(client, store_id, database)
    await make_profile(client, store_id, email=ANN, chat="ADA@x")
    await make_profile(client, store_id, phone=BOB, chat="ada@x", whatsapp="w-1")
    await change_settings(client, store_id, chat=LOWER)
    await client.delete(f"/v1/Stores/{store_id}/Profiles/{ann}/Identifiers/chat")
    parts = await parts_after(client, store_id, bob, (await events_of(database, bob, "updated"))[-1:])
    held = [{each["idType"]: each["values"] for each in part["identifiers"]} for part in parts]
    assert held == [{"phone": [BOB]}, {"whatsapp": ["w-1"]}]
    assert await look_up(client, store_id, "chat", "ada@x") == []


async def test_a_value_that_was_lost_is_removed_from_history_when_the_profile_is_erased(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    ann, bob = await separated(client, store_id, database)
    await make_profile(client, store_id, email=ANN, chat="ADA@x")
    await make_profile(client, store_id, phone=BOB, chat="ada@x")
    await change_settings(client, store_id, chat=LOWER)
    await client.delete(f"/v1/Stores/{store_id}/Profiles/{bob}")
    assert await stored_events(database, "renormalized") == []
    assert await look_up(client, store_id, "chat", "ada@x") == [ann]


class TestDrift:
    """The rules for phone numbers change: an earlier form of a number and today's are with separated profiles."""

    @staticmethod
    async def insert(database: Database, store_id: str, forms: dict[str, str]) -> None:
        """Insert forms of one number, each with its holder, in this order."""
        for value, holder in forms.items():
            async with database.transaction() as connection:
                await insert_former(connection, store_id, "phone", value, holder=holder)
        async with database.transaction() as connection:
            await make_unversioned(connection)

    @staticmethod
    async def loss(database: Database) -> Event:
        (event,) = await stored_events(database, "renormalized")
        return event

    @pytest.mark.parametrize("is_former_first", [True, False])
    async def test_the_profile_that_had_the_number_first_keeps_it(
        self, client: httpx.AsyncClient, store_id: str, database: Database, *, is_former_first: bool
    ) -> None:
        ann, bob = await separated(client, store_id, database)
        forms = {OLD: ann, NEW: bob}
        await self.insert(database, store_id, forms if is_former_first else dict(reversed(forms.items())))
        await renormalize(database)
        keeper, loser = (ann, bob) if is_former_first else (bob, ann)
        assert await look_up(client, store_id, "phone", NEW) == [keeper]
        assert NEW not in await values(client, store_id, loser, "phone")
        event = await self.loss(database)
        assert (event.profile_id, event.removed) == (ids.decoded(loser), (("phone", NEW),))
        assert await stored_events(database, "merged") == []
        changed = 2 if is_former_first else 1
        assert await result_of_renormalization(client, database) == {"changed": changed, "merged": 0, "kept": 0}

    async def test_two_earlier_forms_stay_with_one_of_them(
        self, client: httpx.AsyncClient, store_id: str, database: Database
    ) -> None:
        ann, bob = await separated(client, store_id, database)
        async with database.transaction() as connection:
            for value, holder in (("dan\u200b", bob), ("\u200bdan", ann)):
                await insert_former(connection, store_id, "chat", value, holder=holder)
            await make_unversioned(connection)
        await renormalize(database)
        (keeper,) = await look_up(client, store_id, "chat", "dan")
        event = await self.loss(database)
        assert {ids.profile_id(event.profile_id), keeper} == {ann, bob}

    async def test_a_write_meanwhile_that_names_both_is_about_one_and_merges_nobody(
        self, client: httpx.AsyncClient, store_id: str, database: Database
    ) -> None:
        ann, bob = await separated(client, store_id, database)
        await self.insert(database, store_id, {OLD: ann, NEW: bob})
        assert await make_profile(client, store_id, email=ANN, phone=NEW) == ann
        assert await look_up(client, store_id, "phone", NEW) == [ann, bob]
        assert await make_profile(client, store_id, phone=OLD) == bob
        await renormalize(database)
        assert await look_up(client, store_id, "phone", NEW) == [ann]
        assert await stored_events(database, "merged") == []
