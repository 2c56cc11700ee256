"""People in memory, and the graphs of what made them one."""

from collections.abc import Sequence
from uuid import UUID

from hypothesis import strategies as st

from profile_lookup.console.graph.join_graph import JoinGraph, join_graph_of
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.explanation import Explanation, explanation_of
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


def explanation_of_only_person(store: MemoryStore) -> Explanation:
    (person_id,) = store.profiles
    return explanation_of(store.settings, store.person(person_id))


def graph_of(store: MemoryStore, person_id: UUID | None = None) -> JoinGraph:
    """Return the graph of a person in the store; of the only one, if none is named."""
    (chosen,) = store.profiles if person_id is None else (person_id,)
    person = store.person(chosen)
    return join_graph_of(person, explanation_of(store.settings, person))


@st.composite
def random_people(draw: st.DrawFn) -> tuple[MemoryStore, UUID]:
    """Return a store to which random requests were sent, and the ID of somebody in it."""
    settings = ALL_SETTINGS[draw(st.sampled_from(sorted(ALL_SETTINGS)))]
    store = MemoryStore(settings)
    for write in draw(writes(settings, kinds(create=7, patch=2, add=1, remove=1, split=1), 5, 30)):
        store.do(write)
    if not store.profiles:
        store.change(named("Ann", "email:ann@example.com"))
    return store, draw(st.sampled_from(sorted(store.profiles)))


def random_graphs() -> st.SearchStrategy[JoinGraph]:
    return random_people().map(lambda drawn: graph_of(*drawn))


def random_explanations() -> st.SearchStrategy[Explanation]:
    return random_people().map(lambda drawn: explanation_of(drawn[0].settings, drawn[0].person(drawn[1])))
