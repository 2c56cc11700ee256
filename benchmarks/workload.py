"""The requests of a measurement: lookups of one kind, with uniform or skewed keys."""

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
"""The number of different requests; after these, they repeat."""


@dataclass(frozen=True, slots=True)
class LookupCase:
    """A lookup and its expected answer. `people`: the numbers of the people that it finds."""

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
    """The prepared requests of one kind, the same ones every time."""

    def __init__(self, population: Population, kind: str, keys: Keys) -> None:
        self.kind = kind
        self.keys = keys
        self.cases = _cases(population, kind, keys)
        self.bodies = [case.body() for case in self.cases]
        self.answer_size = len(json.dumps(self.cases[0].answer(), separators=(",", ":")))


def _cases(people: Population, kind: str, keys: Keys, count: int = REQUESTS) -> list[LookupCase]:
    chance = random.Random(f"{kind} {keys}")  # noqa: S311 -- load, not a secret
    return [KINDS[kind](people, chance, keys) for _ in range(count)]


def _random_person(count: int, chance: random.Random, keys: Keys) -> int:
    """Return a person. If keys are skewed, half of the requests name a sixteenth of the people."""
    return int(count * chance.random() ** 4) if keys == "skewed" else chance.randrange(count)


def _phone(people: Population, chance: random.Random, keys: Keys) -> LookupCase:
    """Look up a US number in a common spelling."""
    i = _random_person(people.people, chance, keys)
    i += population.is_from_abroad(i)
    digits = population.phone_digits(i)
    return LookupCase("phone", _us_spelling(digits, chance), f"+{digits}", range(i, i + 1))


def _full_parse(people: Population, chance: random.Random, keys: Keys) -> LookupCase:
    """Look up a number from abroad, to which no shortcut for US numbers applies."""
    i = _random_person(people.people, chance, keys)
    i -= i % 5
    digits = population.phone_digits(i)
    spelling = chance.choice(("+{0}", "+{0[0]}{0[1]} {1} {2}", "+{0[0]}{0[1]}-{1}-{2}", "+{0[0]}{0[1]} {1}{2}"))
    return LookupCase("phone", spelling.format(digits, digits[2:5], digits[5:]), f"+{digits}", range(i, i + 1))


def _miss(people: Population, chance: random.Random, keys: Keys) -> LookupCase:
    """Look up a US number that no person has."""
    i = _random_person(people.people, chance, keys)
    i += population.is_from_abroad(i)
    digits = str(int(population.phone_digits(i)) + population.MISSING_AREA)
    return LookupCase("phone", _us_spelling(digits, chance), f"+{digits}", range(0))


def _email(people: Population, chance: random.Random, keys: Keys) -> LookupCase:
    i = _random_person(people.people, chance, keys)
    address = population.email(i)
    value = chance.choice((address, address.capitalize(), address.upper(), f" {address}"))
    return LookupCase("email", value, address, range(i, i + 1))


def _household(people: Population, chance: random.Random, keys: Keys) -> LookupCase:
    i = _random_person(people.households, chance, keys)
    name = population.household(i)
    return LookupCase("household", name, name, range(i * PEOPLE_OF_HOUSEHOLD, (i + 1) * PEOPLE_OF_HOUSEHOLD))


def _us_spelling(digits: str, chance: random.Random) -> str:
    area, exchange, line = digits[1:4], digits[4:7], digits[7:]
    spelling = chance.choice(
        ("+{3}", "({0}) {1}-{2}", "{0}-{1}-{2}", "1-{0}-{1}-{2}", "{0}.{1}.{2}", "{0}{1}{2}", "+1 {0} {1} {2}")
    )
    return spelling.format(area, exchange, line, digits)


KINDS: dict[str, Callable[[Population, random.Random, Keys], LookupCase]] = {
    "phones": _phone,
    "full-parse": _full_parse,
    "misses": _miss,
    "emails": _email,
    "hundred": _household,
}
