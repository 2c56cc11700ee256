"""A preview of settings says what the PUT of them then does."""

import io
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.blocked_values import queries as blocked_values_queries
from profile_lookup.database.documents import blocked_values_document, settings_document
from profile_lookup.database.event_rows import ids_of_people
from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.errors import ValueRefused
from profile_lookup.history.split_rows import insert_separations
from profile_lookup.identity.blocked_values import BlockedPattern, BlockedValues
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.separations import parted
from profile_lookup.identity.identifier import Identifier
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings
from profile_lookup.ingest.attempts import Attempt
from profile_lookup.jobs.job_handlers import HANDLERS
from profile_lookup.operations import previews, queries
from profile_lookup.operations.job_worker import run_until_idle
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.pieces import stage_file
from profile_lookup.operations.queue import enqueue
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.stores.rules_lock import lock_rules
from tests.database.stores import make_store
from tests.database.test_ingest_together import EXAMPLES, START, one_by_one

TYPES = ("chat", "mail", "tag")
ADDRESSES = (
    "Ann@x.org", "ann@x.org", "aNN@x.org", "bob@x.org", "BOB@x.org", "test@test.com", "Test@test.com", "office@x.org",
    "Office@x.org",
)  # fmt: skip
OTHERS = ("317 555 1234", "+13175551234", "3175551234", "no address")

Rows = set[tuple[UUID, str, str]]
"""Identifiers, each as its profile, its type and its value."""


@dataclass(frozen=True)
class Found:
    outcome: str
    profiles: frozenset[UUID]
    id_type: str
    value: str


def _settings(chosen: random.Random, kinds: Sequence[str], types: Sequence[str]) -> IdentityResolutionSettings:
    configs = [
        IdentifierConfig(
            id_type,
            limit=chosen.choice((1, 2, 100)),
            limit_policy=chosen.choice(("fifo", "lifo")),
            enforce_unique=chosen.random() < 0.7,
            normalization=chosen.choice(kinds),  # type: ignore[arg-type]
        )
        for id_type in types
    ]
    rules = chosen.sample(types, chosen.choice((len(types), len(types), 1)))
    return IdentityResolutionSettings(tuple(configs), tuple(rules))


def _changed(chosen: random.Random, before: IdentityResolutionSettings) -> IdentityResolutionSettings:
    """Return settings that stay mostly as they were, so that not every change is refused."""
    types = TYPES if chosen.random() < 0.9 else TYPES[:2]
    after = _settings(chosen, (*["email"] * 6, "trim", "none", "phone"), types)
    configs = [
        replace(each, enforce_unique=before.is_unique(each.id_type)) if chosen.random() < 0.9 else each
        for each in after.identifier_configs
    ]
    rules = tuple(each for each in before.matching_rules if each in types)
    return IdentityResolutionSettings(tuple(configs), rules or after.matching_rules)


def _blocked_values(chosen: random.Random, rules: IdentityResolutionSettings) -> BlockedValues | None:
    if chosen.random() < 0.4:
        return None
    values = [Identifier(chosen.choice(TYPES), value) for value in chosen.sample(ADDRESSES, 2)]
    patterns = [BlockedPattern(each, "^office") for each in TYPES if chosen.random() < 0.5]
    return BlockedValues.of(rules, built_in=chosen.random() < 0.5, values=values, patterns=patterns)


def _is_storable(rules: IdentityResolutionSettings, identifier: Identifier) -> bool:
    try:
        rules.normalize(identifier)
    except ValueRefused:
        return False
    return True


async def _fill(database: Database, store: StoreRules, chosen: random.Random) -> None:
    attempts = []
    values = ADDRESSES if chosen.random() < 0.8 else (*ADDRESSES, *OTHERS)
    for number in range(12):
        sent = [Identifier(chosen.choice(TYPES), chosen.choice(values)) for _ in range(chosen.randrange(1, 3))]
        sent.append(Identifier(chosen.choice(TYPES), f"own-{number}@x.org"))
        identifiers = [store.settings.normalize(each) for each in sent if _is_storable(store.settings, each)]
        change = Change(tuple(dict.fromkeys(identifiers)))
        attempts.append(Attempt(change, START + timedelta(seconds=number)))
    await one_by_one(database, store, attempts)


async def _separate(database: Database, store: StoreRules, chosen: random.Random) -> None:
    """Keep profiles apart, as splits keep their parts."""
    async with database.transaction() as connection:
        query = text("select id from profile where store_id = :id order by id")
        people = list((await connection.execute(query, {"id": store.id})).scalars())
        for _ in range(chosen.choice((0, 1, 1, 2))):
            chosen.shuffle(people)
            parts = [await ids_of_people(connection, store.id, people[number::3]) for number in range(3)]
            await insert_separations(connection, store.id, parted(new_id(), parts), START)
        await connection.execute(
            text("update profile set is_separated = true where store_id = :id and id in (select id from separation)"),
            {"id": store.id},
        )


async def _preview(
    database: Database, store: StoreRules, after: IdentityResolutionSettings, blocked_values: BlockedValues | None
) -> list[Found]:
    async with database.transaction() as connection:
        operation_id = await enqueue(
            connection, store.account_id, store.id, kind=OperationKind.PREVIEW_SETTINGS,
            job_input={"settings": settings_document(after)},
        )  # fmt: skip
        if blocked_values is not None:
            document = json.dumps(blocked_values_document(blocked_values)).encode()
            await stage_file(connection, store.account_id, operation_id, io.BytesIO(document))
    await run_until_idle(database, HANDLERS)
    async with database.transaction() as connection:
        operation = await queries.find(connection, store.account_id, operation_id)
        assert operation is not None
        assert operation.status == "COMPLETED"
        rows = (await connection.execute(previews.results_of(store.account_id, operation_id))).all()
        values = await previews.values_of(connection, operation, rows)
        assert await connection.scalar(text("select count(*) from preview_form")) == 0
    assert values.keys() == {row.position for row in rows}
    return [Found(row.outcome, frozenset(row.profile_ids), row.id_type, values[row.position]) for row in rows]


async def _put(
    database: Database, store: StoreRules, after: IdentityResolutionSettings, blocked_values: BlockedValues | None
) -> str:
    """Replace the blocked values and then the settings, and return the status of the latter operation."""
    async with database.transaction() as connection:
        store = await lock_rules(connection, store.account_id, store.id)
        if blocked_values is not None:
            await blocked_values_queries.replace(connection, store, blocked_values)
            await enqueue(
                connection, store.account_id, store.id, kind=OperationKind.UPDATE_BLOCKED_VALUES, job_input={}
            )
        operation_id = await enqueue(
            connection, store.account_id, store.id, kind=OperationKind.UPDATE_SETTINGS,
            job_input={"settings": settings_document(after), "expected_version": None},
        )  # fmt: skip
    await run_until_idle(database, HANDLERS)
    async with database.transaction() as connection:
        operation = await queries.find(connection, store.account_id, operation_id)
    assert operation is not None
    status: str = operation.status
    return status


async def _identifiers(connection: AsyncConnection, store: StoreRules) -> Rows:
    query = text("select profile_id, id_type, value from identifier where store_id = :id")
    return {(row.profile_id, row.id_type, row.value) for row in await connection.execute(query, {"id": store.id})}


async def _aliases(connection: AsyncConnection, store: StoreRules) -> dict[UUID, UUID]:
    query = text("select id, profile_id from alias where store_id = :id")
    return {row.id: row.profile_id for row in await connection.execute(query, {"id": store.id})}


def _expected(
    stored: Rows, found: Sequence[Found], store: StoreRules, after: IdentityResolutionSettings
) -> tuple[Rows, dict[UUID, UUID]]:
    """Return the identifiers and the new aliases that a preview without refusals promises."""
    aliases = {
        each: min(result.profiles)
        for result in found
        if result.outcome == "merge"
        for each in result.profiles - {min(result.profiles)}
    }
    removed = {
        (aliases.get(profile_id, profile_id), result.id_type, result.value)
        for result in found
        if result.outcome == "removed"
        for profile_id in result.profiles
    }
    left = set()
    for profile_id, id_type, value in stored:
        canonical_id, form = aliases.get(profile_id, profile_id), _form(store, after, id_type, value)
        if not removed & {(canonical_id, id_type, value), (canonical_id, id_type, form)}:
            left.add((canonical_id, id_type, form))
    return left, aliases


def _form(store: StoreRules, after: IdentityResolutionSettings, id_type: str, value: str) -> str:
    is_kept = id_type not in after.id_types or (
        store.settings.config(id_type).normalization == after.config(id_type).normalization
    )
    is_readable = not is_kept and _is_storable(after, Identifier(id_type, value))
    return after.normalize(Identifier(id_type, value)).value if is_readable else value


@settings(
    max_examples=EXAMPLES * 2, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(seed=st.integers(0, 2**32))
async def test_the_put_does_what_its_preview_says(database: Database, seed: int) -> None:
    chosen = random.Random(seed)
    store = await make_store(database, _settings(chosen, ("none", "none", "trim", "email"), TYPES))
    await _fill(database, store, chosen)
    await _separate(database, store, chosen)
    after, blocked_values = _changed(chosen, store.settings), _blocked_values(chosen, store.settings)
    async with database.transaction() as connection:
        stored, known_aliases = await _identifiers(connection, store), await _aliases(connection, store)
    found = await _preview(database, store, after, blocked_values)
    async with database.transaction() as connection:
        assert await _identifiers(connection, store) == stored
    is_refused = any(each.outcome == "refused" for each in found)
    assert await _put(database, store, after, blocked_values) == ("FAILED" if is_refused else "COMPLETED")
    if not is_refused:
        left, merged = _expected(stored, found, store, after)
        async with database.transaction() as connection:
            assert await _identifiers(connection, store) == left
            aliases = await _aliases(connection, store)
        assert {each: aliases[each] for each in aliases.keys() - known_aliases.keys()} == merged
