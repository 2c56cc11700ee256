"""After each of a sequence of random requests, the service answers every query as the model does."""

from collections import Counter
from collections.abc import Iterator
from itertools import count
from random import Random

import httpx
import pytest
from anyio.from_thread import BlockingPortal
from hypothesis import HealthCheck, Phase, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.model import requests
from tests.model.conftest import STEPS
from tests.model.model import Model
from tests.model.random_requests import GROUPS, full_document, random_request, sent_values
from tests.model.requests import Json, Request
from tests.model.service import Store, distinct_identifiers, expected_view, view

PARTS = 4 if STEPS else 2  # tests that can run in parallel
IN_CI = 200
STEPS_OF_AN_EXAMPLE = 50
WEIGHTS: dict[type[Request], int] = {
    requests.CreateProfile: 12,
    requests.AddIdentifier: 4,
    requests.PatchIdentifier: 4,
    requests.PatchTraits: 4,
    requests.RemoveIdentifiers: 2,
    requests.EraseProfile: 1,
    requests.PutSettings: 4,
    requests.PatchTraitGroup: 1,
    requests.DeleteTraitGroup: 1,
}

# Hypothesis prefers simple and repeated values. As it draws only a seed, the weights alone decide how likely a request
# is. It still removes the steps that a failure does not need.
seeds = st.integers(0, 2**64 - 1)

counts: Counter[str] = Counter()


class Requests(RuleBasedStateMachine):
    """A store and its model."""

    def __init__(self, portal: BlockingPortal, caller: httpx.AsyncClient) -> None:
        super().__init__()
        self.portal = portal
        self.store = portal.call(Store.make, caller)
        self.model = Model()
        self.document: Json = {}
        self.profiles: list[str] = []
        self.sent: set[tuple[str, str]] = set()
        self.time = 0

    @initialize(number=seeds)
    def configure(self, number: int) -> None:
        self.document = full_document(Random(number))
        self.send(requests.PutSettings(self.document))
        for name, definitions in GROUPS.items():
            self.send(requests.CreateTraitGroup(name, definitions))

    @rule(number=seeds)
    def write(self, number: int) -> None:
        if number == 0:  # Hypothesis begins with fifty zeros
            return
        chance = Random(number)
        (kind,) = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
        request = random_request(chance, kind, self.model, self.profiles, self.document)
        version = self.model.version
        self.send(request)
        if isinstance(request, requests.PutSettings) and self.model.version > version:
            self.document = request.document

    def send(self, request: Request) -> None:
        """Send the request to both, and compare everything that clients can read."""
        self.time += 1
        note(f"{self.time}: {request}")
        self.sent |= sent_values(self.model, request)
        aliases = len(self.model.aliases)
        answered = self.portal.call(self.store.send, request)
        assert answered == self.model.replay(request, self.time, answered)
        if answered.status == 202 and answered.profile is not None and answered.profile not in self.profiles:
            assert answered.profile > max(self.profiles, default="")
            self.profiles.append(answered.profile)
        queried = distinct_identifiers(self.model, sorted(self.sent)), self.profiles
        assert self.portal.call(view, self.store, *queried) == expected_view(self.model, *queried)
        counts[f"{type(request).__name__} {answered.status} {answered.code or ''}"] += 1
        merged = len(self.model.aliases) - aliases
        if merged > 0:
            counts[f"{type(request).__name__} that merged {merged}"] += 1


@pytest.mark.parametrize("part", range(PARTS))
def test_the_service_equals_the_model_after_each_request(
    portal: BlockingPortal, caller: httpx.AsyncClient, part: int
) -> None:
    def machine() -> Requests:
        return Requests(portal, caller)

    counts.clear()
    steps = (STEPS or IN_CI) // PARTS
    for attempt in count():  # Hypothesis skips some steps
        if _requests_sent() >= steps:
            break
        run_state_machine_as_test(
            machine if STEPS else seed(part + PARTS * attempt)(machine),  # type: ignore[arg-type] # any factory will do
            settings=settings(
                max_examples=-(-(steps - _requests_sent()) // STEPS_OF_AN_EXAMPLE) + 1,  # the first example is empty
                stateful_step_count=STEPS_OF_AN_EXAMPLE,
                deadline=None,
                database=None,
                derandomize=False,  # the seed decides which requests are sent; without one, they differ each time
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )
    print("\n".join(_report()))  # noqa: T201 -- a summary for pytest -rP


def _requests_sent() -> int:
    return sum(times for what, times in counts.items() if "merged" not in what)


def _report() -> Iterator[str]:
    yield f"{_requests_sent()} requests without a difference"
    for what, times in sorted(counts.items()):
        yield f"{times:6} {what}"
