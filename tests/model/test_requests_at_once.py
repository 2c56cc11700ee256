"""Requests at once: their answers, and all that is then there, are what some order of them would have given."""

import asyncio
from collections.abc import Sequence
from itertools import permutations
from random import Random

import httpx
import pytest

from tests.model import requests
from tests.model.conftest import STEPS
from tests.model.model import Answer, Model
from tests.model.random_requests import GROUPS, full_document, sent_values, write
from tests.model.requests import Json, Request
from tests.model.service import Store, View, expected_view, view

PARTS = 2  # run beside each other
IN_CI = 60
"""Requests in bursts."""

BEFORE: tuple[type[Request], ...] = (requests.CreateProfile,) * 4 + (requests.AddIdentifier,)
AT_ONCE: dict[type[Request], int] = {
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
    """A new store, some requests to it one after the other, then several at once."""

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
        for kind in self.chance.choices(BEFORE, k=self.chance.choice((2, 3, 4, 6))):
            await self._send(self._write(kind))

    async def send(self) -> tuple[list[Request], list[Answer], View]:
        """The requests, their answers, and all that is then there."""
        count = self.chance.choice((2, 3, 3, 4, 4, 5))
        burst = [self._write(kind) for kind in self.chance.choices(list(AT_ONCE), list(AT_ONCE.values()), k=count)]
        burst = [self.chance.choice((request, burst[0])) for request in burst]  # often the same more than once
        answers = await asyncio.gather(*[self.store.send(request) for request in burst])
        for request, answered in zip(burst, answers, strict=True):
            self._note(request, answered)
        return burst, answers, await view(self.store, sorted(self.sent), self.profiles)

    def order(self, burst: Sequence[Request], answers: Sequence[Answer], viewed: View) -> tuple[int, ...] | None:
        """One in which the model answers the same and becomes the same.

        A request has the time at which it came, and may be done after one that came later: so each order of doing them
        goes with each order of their times. Almost always they are alike, which is tried first.
        """
        for are_alike in (True, False):
            for order in permutations(range(len(burst))):
                for times in [order] if are_alike else permutations(order):
                    if self._gives(burst, answers, viewed, order, times):
                        return order
        return None

    def _gives(
        self,
        burst: Sequence[Request],
        answers: Sequence[Answer],
        viewed: View,
        order: Sequence[int],
        times: Sequence[int],
    ) -> bool:
        model = self.model.copy()
        for which in order:
            at = self.time + 1 + times.index(which)
            if not _is_alike(model.replay(burst[which], at, answers[which]), answers[which]):
                return False
        return expected_view(model, sorted(self.sent), self.profiles) == viewed

    async def _send(self, request: Request) -> None:
        answered = await self.store.send(request)
        self._note(request, answered)
        self.time += 1
        assert answered == self.model.replay(request, self.time, answered), request

    def _write(self, kind: type[Request]) -> Request:
        return write(self.chance, kind, self.model, self.profiles, self.document)

    def _note(self, request: Request, answered: Answer) -> None:
        self.sent |= sent_values(self.model, request)
        if answered.profile is not None and answered.profile not in self.profiles:
            self.profiles.append(answered.profile)


def _is_alike(expected: Answer, answered: Answer) -> bool:
    """Settings that were possible when they were accepted may fail when it is their turn."""
    return answered == expected or (answered.status, answered.code, expected.code) == (202, 520024, 520024)


@pytest.mark.parametrize("part", range(PARTS))
async def test_requests_at_once_equal_some_order_of_them(client: httpx.AsyncClient, part: int) -> None:
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
