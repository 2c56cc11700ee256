"""What a dry run finds, row by row, is what the import then does: for random stores, rules and rows."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count, cycle

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.database.tables import profile, separation
from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.profile_replay import Written
from profile_lookup.identity.rules import DEFAULT_SETTINGS, IdentifierConfig, IdentityResolutionSettings
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.imports.dry_runs.overlay import Overlay
from profile_lookup.ingest.attempts import Attempt, Outcome, resolve_together
from profile_lookup.stores.rules_cache import StoreRules
from tests.database.contents import contents
from tests.database.stores import make_store
from tests.database.test_ingest_together import EXAMPLES, ID_TYPES, START, any_settings, in_chunks
from tests.identity.building import adding

IDENTIFIERS = st.builds(NormalizedIdentifier, st.sampled_from(ID_TYPES), st.sampled_from("abcdef").map(NormalizedValue))
NAMES = st.sampled_from(("Ann", "Bo", "Cy", "Di", None)).map(
    lambda name: {} if name is None else {TraitName("Contact", "firstName"): name}
)
CHANGES = st.builds(Change, st.lists(IDENTIFIERS, min_size=1, max_size=4, unique=True).map(tuple), NAMES)
SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=5)


async def dry_run(
    database: Database, store: StoreRules, attempts: Sequence[Attempt], sizes: Sequence[int]
) -> list[Outcome]:
    """Resolve the attempts upon an overlay, some at a time, and return their outcomes."""
    outcomes: list[Outcome] = []
    async with database.session() as connection:
        overlay = Overlay(connection, store)
        async with connection.begin():
            await overlay.create()
        for turn in count():
            if len(outcomes) == len(attempts):
                break
            some = attempts[len(outcomes) :][: sizes[turn % len(sizes)]]
            async with connection.begin():
                resolved = await resolve_together(store, some, overlay.gather)
                await overlay.add(resolved)
            outcomes += resolved.outcomes
    return outcomes


def described(outcomes: Sequence[Outcome]) -> list[object]:
    """Return what became of each row, with the place of its profile in the order of creation instead of the ID."""
    places = {
        each: place for place, each in enumerate(sorted({o.profile_id for o in outcomes if isinstance(o, Written)}))
    }
    return [
        (outcome.how, places[outcome.profile_id], outcome.evicted, outcome.shared)
        if isinstance(outcome, Written)
        else (type(outcome), str(outcome))
        for outcome in outcomes
    ]


async def _keep_apart(database: Database, store: StoreRules, parts: Sequence[int]) -> None:
    """Keep the known profiles apart from each other that belong to different parts, as a split does."""
    async with database.transaction() as connection:
        people = await connection.execute(
            select(profile.c.id).where(profile.c.store_id == store.id).order_by(profile.c.id)
        )
        split = {"store_id": store.id, "decision": new_id(), "is_lifted": False, "decided_at": START}
        rows = [{**split, "id": each, "part": part} for each, part in zip(people.scalars(), cycle(parts), strict=False)]
        if rows:
            await connection.execute(insert(separation), rows)
            await connection.execute(update(profile).where(profile.c.store_id == store.id).values(is_separated=True))


@settings(
    max_examples=EXAMPLES,
    derandomize="MODEL_STEPS" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    rules=any_settings(),
    apart=st.lists(st.integers(0, 1), min_size=1, max_size=4),
    brake=st.sampled_from((None, None, 2, 3)),
    known=st.lists(CHANGES, min_size=8, max_size=12),
    rows=st.lists(CHANGES, min_size=30, max_size=40),
    sizes=SIZES,
    other_sizes=SIZES,
)
async def test_a_dry_run_finds_row_by_row_what_the_import_does(
    database: Database,
    rules: IdentityResolutionSettings,
    apart: list[int],
    brake: int | None,
    known: list[Change],
    rows: list[Change],
    sizes: list[int],
    other_sizes: list[int],
) -> None:
    store = await make_store(database, rules)
    store = replace(store, blocked_values=replace(store.blocked_values, max_profiles_per_value=brake))
    attempts = [Attempt(change, START + timedelta(seconds=place)) for place, change in enumerate([*known, *rows])]
    await in_chunks(database, store, attempts[: len(known)], sizes)
    await _keep_apart(database, store, apart)
    before = await contents(database)
    found = await dry_run(database, store, attempts[len(known) :], sizes)
    assert await contents(database) == before
    done = await in_chunks(database, store, attempts[len(known) :], other_sizes)
    assert described(found) == described(done)


async def test_a_dry_run_goes_on_when_others_merge_the_same_people(database: Database) -> None:
    store = await make_store(database, DEFAULT_SETTINGS)

    async def write(*identifiers: str) -> None:
        await in_chunks(database, store, [Attempt(adding(*identifiers), START)])

    await write("email:a")
    await write("email:b", "chat:c")
    async with database.session() as connection:
        overlay = Overlay(connection, store)

        async def try_row(*identifiers: str) -> Outcome:
            async with connection.begin():
                attempts = [Attempt(adding(*identifiers), START)]
                resolved = await resolve_together(store, attempts, overlay.gather)
                await overlay.add(resolved)
            return resolved.outcomes[0]

        async with connection.begin():
            await overlay.create()
        tried = [await try_row("chat:c", "phone:d")]
        await write("email:a", "email:b")
        tried += [await try_row("email:a", "chat:e"), await try_row("chat:e", "phone:d")]
    assert [outcome.how for outcome in tried if isinstance(outcome, Written)] == ["updated", "updated", "merged"]


async def test_people_who_would_have_lost_a_shared_value_hide_none_of_its_other_holders(database: Database) -> None:
    chat = IdentifierConfig("chat", limit=1, enforce_unique=False)
    store = await make_store(database, IdentityResolutionSettings((IdentifierConfig("email"), chat), ("email", "chat")))
    known = [adding(f"email:{name}") for name in "abc"] + [adding(f"email:{name}", "chat:old") for name in "abc"]
    rows = [adding("email:a", "chat:new"), adding("email:b", "chat:newer"), adding("chat:old")]
    attempts = [Attempt(change, START + timedelta(seconds=place)) for place, change in enumerate([*known, *rows])]
    await in_chunks(database, store, attempts[: len(known)])
    found = await dry_run(database, store, attempts[len(known) :], [1])
    assert [outcome.how for outcome in found if isinstance(outcome, Written)] == ["updated"] * 3
    assert described(found) == described(await in_chunks(database, store, attempts[len(known) :]))


async def test_who_holds_two_shared_values_of_a_row_is_found_among_their_other_holders(database: Database) -> None:
    shared = [IdentifierConfig(id_type, enforce_unique=False) for id_type in ("chat", "tag")]
    rules = IdentityResolutionSettings((IdentifierConfig("email"), *shared), ("email", "chat", "tag"))
    store = await make_store(database, rules)
    known = [adding(f"email:{name}") for name in "abcde"]
    known += [adding(f"email:{name}", "chat:x") for name in "abe"] + [
        adding(f"email:{name}", "tag:y") for name in "cde"
    ]
    attempts = [Attempt(change, START + timedelta(seconds=place)) for place, change in enumerate(known)]
    await in_chunks(database, store, attempts)
    row = [Attempt(adding("chat:x", "tag:y"), START + timedelta(hours=1))]
    found = await dry_run(database, store, row, [1])
    assert [outcome.how for outcome in found if isinstance(outcome, Written)] == ["updated"]
    assert described(found) == described(await in_chunks(database, store, row))
