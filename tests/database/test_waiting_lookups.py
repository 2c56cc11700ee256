"""Lookups wait for their statements by store. These tests need no database."""

from uuid import UUID

from profile_lookup.accounts.credentials import Credentials, digest
from profile_lookup.errors import Unavailable
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.lookup.coalesced_statement import Found
from profile_lookup.lookup.waiting_lookup import WaitingLookup, WaitingLookups

KEY = Credentials("SKtest", digest("secret"))
STORES = 3000  # so many that one call within another for each of them would not be possible


def lookup(store: int, outcomes: list[Found | Exception | None], *, is_gone: bool) -> WaitingLookup:
    identifier = NormalizedIdentifier("chat", NormalizedValue("c-1"))
    return WaitingLookup((KEY, UUID(int=store)), identifier, lambda: is_gone, outcomes.append, arrived_at=store)


def test_a_batch_of_one_caller_skips_the_stores_whose_clients_have_gone() -> None:
    waiting = WaitingLookups()
    outcomes: list[Found | Exception | None] = []
    for store in range(STORES):
        waiting.add(lookup(store, outcomes, is_gone=True))
    wanted = lookup(STORES, outcomes, is_gone=False)
    waiting.add(wanted)
    assert waiting.next_batch_of_one_caller(busy={1}) == [wanted]
    assert waiting.count == 1
    assert len(outcomes) == STORES - 1
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)


def test_a_store_whose_lookups_were_all_refused_does_not_end_a_batch_of_one_caller() -> None:
    waiting = WaitingLookups()
    outcomes: list[Found | Exception | None] = []
    waiting.add(lookup(1, outcomes, is_gone=False))
    waiting.refuse_before(deadline=1)
    wanted = lookup(2, outcomes, is_gone=False)
    waiting.add(wanted)
    assert len(outcomes) == 1
    assert waiting.next_batch_of_one_caller(busy=()) == [wanted]
    assert waiting.next_batch_of_one_caller(busy=()) == []
