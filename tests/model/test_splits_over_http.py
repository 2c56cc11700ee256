"""What is promised of a split, over HTTP: it leaves what the same requests leave if the parts were always kept apart.

The properties are those of `tests/identity/history/test_split_promises.py`, with the running service in place of the
store in memory.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import httpx
import pytest
from anyio.from_thread import BlockingPortal
from hypothesis import HealthCheck, assume, given, settings

from profile_lookup.database.pool import Database
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.settings import Settings
from tests.conftest import finished
from tests.identity.history.memory_store import DoneWrite, State, model_state, replayed_on
from tests.identity.history.random_writes import (
    ALL_SETTINGS,
    CASES,
    UNIQUE,
    Kind,
    RandomWrite,
    kinds,
    model_settings,
    writes,
)
from tests.identity.history.test_split_promises import (
    CREATES,
    ORDERS,
    WRITES,
    met_the_same_people,
    newest_join,
    undone_and_never_joined,
)
from tests.model.http_store import GROUP, HttpStore, Service, trait_group
from tests.model.model import Model
from tests.model.service import Store

PROPERTIES = 20
"""The tests of this module, which share the cases, since each case takes some tens of requests."""

some_cases = settings(
    max_examples=-(-CASES // PROPERTIES),
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)

counts: Counter[str] = Counter()

MakeStore = Callable[[IdentityResolutionSettings], HttpStore]


@pytest.fixture(autouse=True)
def _report() -> Iterator[None]:
    counts.clear()
    yield
    print(dict(sorted(counts.items())))  # noqa: T201 -- a summary for pytest -rP


@pytest.fixture
def make_store(portal: BlockingPortal, caller: httpx.AsyncClient, settings: Settings) -> Iterator[MakeStore]:
    """Return what makes an empty store of the service, the same one for each case."""
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()

    async def open_database() -> Database:
        return Database(url, pool_size=1)

    database = portal.call(open_database)
    services: dict[int, Service] = {}

    def make(rules: IdentityResolutionSettings) -> HttpStore:
        if id(rules) not in services:
            store = portal.call(configured_store, caller, rules)
            services[id(rules)] = Service(portal, database, store)
        made = HttpStore(rules, services[id(rules)])
        made.clear()
        return made

    yield make
    portal.call(database.close)


async def configured_store(client: httpx.AsyncClient, rules: IdentityResolutionSettings) -> Store:
    store = await Store.make(client)
    document = {
        "identifierConfigs": [
            {
                "idType": each.id_type,
                "normalization": each.normalization,
                "enforceUnique": each.enforce_unique,
                "limit": each.limit,
                "limitPolicy": each.limit_policy,
            }
            for each in rules.identifier_configs
        ],
        "matchingRules": list(rules.matching_rules),
    }
    put = await store.call("PUT", "/IdentityResolutionSettings", document, is_control_plane=True)
    assert (await finished(client, put))["status"] == "COMPLETED"
    group = {"displayName": GROUP, "traits": trait_group(rules)}
    made = await store.call("POST", "/TraitGroups", group, is_control_plane=True)
    assert (await finished(client, made))["status"] == "COMPLETED"
    return store


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("of_kinds", [CREATES, WRITES], ids=["creates", "writes"])
def test_joins_of_unique_types_are_undone_in_any_order(make_store: MakeStore, order: str, of_kinds: list[Kind]) -> None:
    @some_cases
    @given(writes(UNIQUE, of_kinds, 4, 9))
    def compare(drawn: Sequence[RandomWrite]) -> None:
        store, oracle, _ = undone_and_never_joined(UNIQUE, drawn, order, make_store=make_store)
        assert store.state() == model_state(oracle)
        counts["cases"] += 1

    compare()


@pytest.mark.parametrize("name", ALL_SETTINGS)
def test_the_newest_join_is_undone_whatever_the_settings(make_store: MakeStore, name: str) -> None:
    @some_cases
    @given(writes(ALL_SETTINGS[name], WRITES, 4, 9))
    def compare(drawn: Sequence[RandomWrite]) -> None:
        undo_newest = partial(undone_and_never_joined, joins_of=newest_join, make_store=make_store)
        store, oracle, _ = undo_newest(ALL_SETTINGS[name], drawn)
        assert store.state() == model_state(oracle)
        counts["cases"] += 1

    compare()


@pytest.mark.parametrize("name", ["limited", "lifo", "shared", "mixed"])
def test_joins_are_undone_if_each_later_write_would_have_met_the_same_person(make_store: MakeStore, name: str) -> None:
    @some_cases
    @given(writes(ALL_SETTINGS[name], WRITES, 4, 9))
    def compare(drawn: Sequence[RandomWrite]) -> None:
        store, oracle, met = undone_and_never_joined(ALL_SETTINGS[name], drawn, make_store=make_store)
        assume(met_the_same_people(store, oracle, met))
        assert store.state() == model_state(oracle)
        counts["cases"] += 1

    compare()


class ForgettableTraits:
    """The traits that have held the value of an identifier which was removed since.

    Once such a trait gets another value, the service forgets the one before, and a split does not bring it back. The
    model does not know that; `tests/api/test_forgotten_values.py` tests it.
    """

    def __init__(self) -> None:
        self._names_by_value: dict[object, set[tuple[str, str]]] = {}
        self._names: set[tuple[str, str]] = set()

    def note(self, done: DoneWrite) -> None:
        for name, value in done.change.traits.items():
            self._names_by_value.setdefault(value, set()).add((name.group, name.name))
        for removed in (done.removed, done.change.replaced):
            if removed is not None:
                self._names |= self._names_by_value.get(removed.value, set())

    def left_out_of(self, state: State) -> State:
        return {
            profile: (identifiers, {name: trait for name, trait in traits.items() if name not in self._names}, ids)
            for profile, (identifiers, traits, ids) in state.items()
        }


EVERYTHING = kinds(create=8, patch=2, add=1, replace=1, erase=1, split=8, lift=1)


@pytest.mark.parametrize("name", ALL_SETTINGS)
def test_random_splits_among_random_writes_leave_what_the_model_says(make_store: MakeStore, name: str) -> None:
    @some_cases
    @given(writes(ALL_SETTINGS[name], EVERYTHING, 5, 25))
    def compare(drawn: Sequence[RandomWrite]) -> None:
        store = make_store(ALL_SETTINGS[name])
        model = Model(model_settings(ALL_SETTINGS[name]))
        forgettable = ForgettableTraits()
        for write in drawn:
            done = store.do(write)
            if done is not None:
                replayed_on(model, done)
                forgettable.note(done)
                assert forgettable.left_out_of(store.state()) == forgettable.left_out_of(model_state(model))
                counts[write.kind] += 1

    compare()
