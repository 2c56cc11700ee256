"""People in memory, and the graphs of what made them one."""

from collections.abc import Sequence
from uuid import UUID

from hypothesis import strategies as st

from profile_lookup.console.graph.join_graph import JoinGraph, join_graph_of
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.explanation import explanation_of
from profile_lookup.identity.history.splitting import Person
from tests.identity.building import contact, identifiers
from tests.identity.history.memory_store import MemoryStore
from tests.identity.history.random_writes import ALL_SETTINGS, UNIQUE, kinds, writes


def named(name: str, *texts: str) -> Change:
    """Return a request with this first name and these identifiers, such as `email:ann@example.com`."""
    return Change(tuple(identifiers(*texts)), {contact("firstName"): name})


def store_of(changes: Sequence[Change]) -> MemoryStore:
    store = MemoryStore(UNIQUE)
    for change in changes:
        store.change(change)
    return store


def office_of(people: int) -> list[Change]:
    return [named(f"Person {number}", "email:office@acme.example", f"phone:{number}") for number in range(people)]


def graph_of(store: MemoryStore, profile_id: UUID | None = None) -> JoinGraph:
    """Return the graph of a profile of the store; of the only one, if none is named."""
    (chosen,) = store.profiles if profile_id is None else (profile_id,)
    person = Person(store.profiles[chosen], frozenset(), store.events(chosen))
    return join_graph_of(person, explanation_of(store.settings, person))


@st.composite
def random_graphs(draw: st.DrawFn) -> JoinGraph:
    """Return the graph of somebody in a store to which random requests were sent."""
    settings = ALL_SETTINGS[draw(st.sampled_from(sorted(ALL_SETTINGS)))]
    store = MemoryStore(settings)
    for write in draw(writes(settings, kinds(create=7, patch=2, add=1, remove=1, split=1), 5, 30)):
        store.do(write)
    if not store.profiles:
        store.change(named("Ann", "email:ann@example.com"))
    return graph_of(store, draw(st.sampled_from(sorted(store.profiles))))
