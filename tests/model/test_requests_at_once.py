"""Concurrent requests: some serial order of them gives the same answers and leaves the same data."""

import asyncio
from collections.abc import Sequence
from itertools import permutations
from random import Random

import httpx
import pytest

from tests.model import requests
from tests.model.conftest import STEPS
from tests.model.model import Answer, Model
from tests.model.random_requests import GROUPS, full_document, random_request, sent_values
from tests.model.requests import Json, Request
from tests.model.service import Store, View, expected_view, view

PARTS = 2  # tests that can run in parallel
IN_CI = 60
"""The number of requests that CI sends in bursts."""

SEQUENTIAL: tuple[type[Request], ...] = (requests.CreateProfile,) * 4 + (requests.AddIdentifier,)
CONCURRENT: dict[type[Request], int] = {
    requests.CreateProfile: 8,
    requests.AddIdentifier: 5,
    requests.PatchIdentifier: 4,
    requests.PatchTraits: 4,
    requests.RemoveIdentifiers: 2,
    requests.EraseProfile: 1,
    requests.PutSettings: 1,
    requests.PatchTraitGroup: 1,
}


class Burst:
    """A new store that receives some requests one after the other, and then several concurrently."""

    def __init__(self, store: Store, chance: Random) -> None:
        self.store = store
        self.chance = chance
        self.document: Json = full_document(chance)
        self.model = Model()
        self.profiles: list[str] = []
        self.sent: set[tuple[str, str]] = set()
        self.time = 0

    async def prepare(self) -> None:
        await self._send(requests.PutSettings(self.document))
        for name, definitions in GROUPS.items():
            await self._send(requests.CreateTraitGroup(name, definitions))
        for kind in self.chance.choices(SEQUENTIAL, k=self.chance.choice((2, 3, 4, 6))):
            await self._send(self._random_request(kind))

    async def send(self) -> tuple[list[Request], list[Answer], View]:
        """Send a burst. Return the requests, their answers, and everything that clients can then read."""
        count = self.chance.choice((2, 3, 3, 4, 4, 5))
        burst = [
            self._random_request(kind)
            for kind in self.chance.choices(list(CONCURRENT), list(CONCURRENT.values()), k=count)
        ]
        burst = [self.chance.choice((request, burst[0])) for request in burst]  # often several are the same
        answers = await asyncio.gather(*[self.store.send(request) for request in burst])
        for request, answered in zip(burst, answers, strict=True):
            self._note(request, answered)
        return burst, answers, await view(self.store, sorted(self.sent), self.profiles)

    def order(self, burst: Sequence[Request], answers: Sequence[Answer], viewed: View) -> tuple[int, ...] | None:
        """Return an order in which the model gives the same answers and ends in the same state, or None.

        A request carries the time of its arrival, but it may be applied after a request that arrived later. So every
        order of applying them is combined with every order of their times. The two are almost always equal, so equal
        orders are tried first.
        """
        for are_equal in (True, False):
            for order in permutations(range(len(burst))):
                for times in [order] if are_equal else permutations(order):
                    if self._explains(burst, answers, viewed, order, times):
                        return order
        return None

    def _explains(
        self,
        burst: Sequence[Request],
        answers: Sequence[Answer],
        viewed: View,
        order: Sequence[int],
        times: Sequence[int],
    ) -> bool:
        model = self.model.copy()
        for index in order:
            at = self.time + 1 + times.index(index)
            if not _agrees(model.replay(burst[index], at, answers[index]), answers[index]):
                return False
        return expected_view(model, sorted(self.sent), self.profiles) == viewed

    async def _send(self, request: Request) -> None:
        answered = await self.store.send(request)
        self._note(request, answered)
        self.time += 1
        assert answered == self.model.replay(request, self.time, answered), request

    def _random_request(self, kind: type[Request]) -> Request:
        return random_request(self.chance, kind, self.model, self.profiles, self.document)

    def _note(self, request: Request, answered: Answer) -> None:
        self.sent |= sent_values(self.model, request)
        if answered.profile is not None and answered.profile not in self.profiles:
            self.profiles.append(answered.profile)


def _agrees(expected: Answer, answered: Answer) -> bool:
    """Whether the answers agree. Settings that were valid when accepted may fail later, when they are applied."""
    return answered == expected or (answered.status, answered.code, expected.code) == (202, 520024, 520024)


@pytest.mark.parametrize("part", range(PARTS))
async def test_a_serial_order_explains_concurrent_requests(client: httpx.AsyncClient, part: int) -> None:
    chance = Random(None if STEPS else part)
    done = bursts = in_another_order = 0
    while done < (STEPS or IN_CI) // PARTS:
        burst = Burst(await Store.make(client), chance)
        await burst.prepare()
        sent, answers, viewed = await burst.send()
        order = burst.order(sent, answers, viewed)
        assert order is not None, (burst.document, burst.model, sent, answers, viewed)
        done += len(sent)
        bursts += 1
        in_another_order += order != tuple(range(len(sent)))
    print(f"{done} requests in {bursts} bursts, {in_another_order} of them in another order")  # noqa: T201 -- pytest -rP
