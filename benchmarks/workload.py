"""What is asked: requests of one kind, over keys that are uniform or skewed."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from benchmarks import population
from benchmarks.population import PEOPLE_OF_HOUSEHOLD, Population
from profile_lookup.web import ids

Keys = Literal["uniform", "skewed"]

REQUESTS = 100_000
"""How many different ones there are; then they begin anew."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and what the answer must be; `people` by their numbers."""

    id_type: str
    value: str
    normalized: str
    people: range

    def body(self) -> bytes:
        return json.dumps({"idType": self.id_type, "value": self.value}).encode()

    def answer(self) -> dict[str, Any]:
        return {
            "normalizedValue": self.normalized,
            "profiles": [ids.profile_id(profile_id) for profile_id in self.profile_ids()],
        }

    def profile_ids(self) -> list[UUID]:
        return [population.profile_id(i) for i in self.people]


class Workload:
    """One kind's requests, ready to be sent; the same ones every time."""

    def __init__(self, population: Population, kind: str, keys: Keys) -> None:
        self.kind = kind
        self.keys = keys
        self.questions = _questions(population, kind, keys)
        self.bodies = [question.body() for question in self.questions]
        self.answer_size = len(json.dumps(self.questions[0].answer(), separators=(",", ":")))


def _questions(people: Population, kind: str, keys: Keys, count: int = REQUESTS) -> list[Question]:
    chance = random.Random(f"{kind} {keys}")  # noqa: S311 -- a load, no secret
    return [KINDS[kind](people, chance, keys) for _ in range(count)]


def _someone(count: int, chance: random.Random, keys: Keys) -> int:
    """Skewed: half of the requests ask for a sixteenth of the people."""
    return int(count * chance.random() ** 4) if keys == "skewed" else chance.randrange(count)


def _phone(people: Population, chance: random.Random, keys: Keys) -> Question:
    """A US number as people write it."""
    i = _someone(people.people, chance, keys)
    i += population.is_from_abroad(i)
    digits = population.phone_digits(i)
    return Question("phone", _us_spelling(digits, chance), f"+{digits}", range(i, i + 1))


def _full_parse(people: Population, chance: random.Random, keys: Keys) -> Question:
    """A number from abroad: no shortcut for US numbers applies."""
    i = _someone(people.people, chance, keys)
    i -= i % 5
    digits = population.phone_digits(i)
    spelling = chance.choice(("+{0}", "+{0[0]}{0[1]} {1} {2}", "+{0[0]}{0[1]}-{1}-{2}", "+{0[0]}{0[1]} {1}{2}"))
    return Question("phone", spelling.format(digits, digits[2:5], digits[5:]), f"+{digits}", range(i, i + 1))


def _miss(people: Population, chance: random.Random, keys: Keys) -> Question:
    """A US number that nobody has."""
    i = _someone(people.people, chance, keys)
    i += population.is_from_abroad(i)
    digits = str(int(population.phone_digits(i)) + population.MISSING_AREA)
    return Question("phone", _us_spelling(digits, chance), f"+{digits}", range(0))


def _email(people: Population, chance: random.Random, keys: Keys) -> Question:
    i = _someone(people.people, chance, keys)
    address = population.email(i)
    value = chance.choice((address, address.capitalize(), address.upper(), f" {address}"))
    return Question("email", value, address, range(i, i + 1))


def _household(people: Population, chance: random.Random, keys: Keys) -> Question:
    i = _someone(people.households, chance, keys)
    name = population.household(i)
    return Question("household", name, name, range(i * PEOPLE_OF_HOUSEHOLD, (i + 1) * PEOPLE_OF_HOUSEHOLD))


def _us_spelling(digits: str, chance: random.Random) -> str:
    area, exchange, line = digits[1:4], digits[4:7], digits[7:]
    spelling = chance.choice(
        ("+{3}", "({0}) {1}-{2}", "{0}-{1}-{2}", "1-{0}-{1}-{2}", "{0}.{1}.{2}", "{0}{1}{2}", "+1 {0} {1} {2}")
    )
    return spelling.format(area, exchange, line, digits)


KINDS: dict[str, Callable[[Population, random.Random, Keys], Question]] = {
    "phones": _phone,
    "full-parse": _full_parse,
    "misses": _miss,
    "emails": _email,
    "hundred": _household,
}
