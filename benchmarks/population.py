r"""The people in the store: arithmetic defines a person for every number.

Everything about person *i* follows from *i*, so that PostgreSQL can generate ten million of them, and every answer is
known without a query. The formulas are integer arithmetic that is valid both in SQL and in pgbench's `\set`, with `{i}`
for the number. The functions below compute the same in Python; the check of the answers shows that both agree.
"""

from dataclasses import dataclass
from hashlib import md5
from uuid import UUID

PEOPLE_OF_HOUSEHOLD = 100
"""The number of people who share an identifier of a type that is not unique."""

MISSING_AREA = 596 * 10_000_000
"""Added to a US number, it gives one that no person has: area codes start at 808 instead of 212 to 219."""

_FIRST_ID = 1_700_000_000_000  # milliseconds since 1970: the time in the ID of the first person
_US = 51_200_000  # 8 area codes of 640 exchanges of 10,000 lines
_US_FACTOR = 7_368_787  # coprime to _US, so that neighbours are scattered and no two numbers are equal
_SUBSCRIBERS = 100_000_000  # of each country of `_COUNTRIES`
_SUBSCRIBERS_FACTOR = 61_803_399

_COUNTRIES = (4474 * 10**8, 336 * 10**8, 49151 * 10**8, 9198 * 10**8, 614 * 10**8)
"""Mobile numbers of the United Kingdom, France, Germany, India, Australia."""

_AREAS = (44771, 491511, 91981, 551198, 81903, 861391, 393471, 62812, 234803, 90532)
"""Mobile numbers of ten countries without their last seven digits, each of which is valid."""
_LINES_FACTOR = 6_180_339  # coprime to the number of lines

_us = f"({{i}} * {_US_FACTOR} % {_US})"
US_DIGITS = (
    f"(10000000000 + (212 + {_us} / 6400000) * 10000000"
    f" + (220 + {_us} / 10000 % 640 / 80 * 100 + {_us} / 10000 % 80) * 10000 + {_us} % 10000)"
)
INTERNATIONAL_DIGITS = (
    f"(case when {{i}} / 5 % 5 = 0 then {_COUNTRIES[0]} when {{i}} / 5 % 5 = 1 then {_COUNTRIES[1]}"
    f" when {{i}} / 5 % 5 = 2 then {_COUNTRIES[2]} when {{i}} / 5 % 5 = 3 then {_COUNTRIES[3]}"
    f" else {_COUNTRIES[4]} end + {{i}} / 5 * {_SUBSCRIBERS_FACTOR} % {_SUBSCRIBERS})"
)
"""The digits of every fifth person's number; the others have a US number."""

PHONE_DIGITS = f"(case when {{i}} % 5 = 0 then {INTERNATIONAL_DIGITS} else {US_DIGITS} end)"

PROFILE_ID_SQL = (
    f"(lpad(to_hex({_FIRST_ID} + {{i}}), 12, '0') || '7' || substr(md5(({{i}})::text), 1, 3)"
    f" || '8' || substr(md5(({{i}})::text), 4, 15))::uuid"
)


@dataclass(frozen=True, slots=True)
class Population:
    """`identifiers`: the requested number. Everyone has a phone number and an e-mail address, and some a household."""

    identifiers: int

    @property
    def households(self) -> int:
        return max(1, self.identifiers // 10_000)

    @property
    def people(self) -> int:
        """The number of people, a multiple of five. The first of every five is from abroad."""
        return (self.identifiers - self.households * PEOPLE_OF_HOUSEHOLD) // 10 * 5


def profile_id(i: int) -> UUID:
    """Return a UUIDv7 whose time grows with the number."""
    digest = md5(str(i).encode(), usedforsecurity=False).hexdigest()
    return UUID(f"{_FIRST_ID + i:012x}7{digest[:3]}8{digest[3:18]}")


def is_from_abroad(i: int) -> bool:
    return i % 5 == 0


def phone_digits(i: int) -> str:
    """Return the phone number in E.164 without the +."""
    if is_from_abroad(i):
        return str(_COUNTRIES[i // 5 % 5] + i // 5 * _SUBSCRIBERS_FACTOR % _SUBSCRIBERS)
    n = i * _US_FACTOR % _US
    exchange = n // 10_000 % 640
    area = 212 + n // 6_400_000
    return str(10_000_000_000 + area * 10_000_000 + (220 + exchange // 80 * 100 + exchange % 80) * 10_000 + n % 10_000)


def worldwide_digits(i: int) -> str:
    """Return the number, without the +, that a person has in a file of worldwide numbers. All are valid."""
    area = _AREAS[i % len(_AREAS)]
    return str(area * 10**7 + i // len(_AREAS) * _LINES_FACTOR % 10**7)


def email(i: int) -> str:
    return f"person.{i}@example.com"


def household(i: int) -> str:
    return f"household-{i}"
