"""The file that is imported: people of the population, with names and cities, and rows about people before them.

Every fifth row is about somebody who was there before: of ten such rows, seven say something new of one person, two
give them another phone number, and one has the e-mail address of one and the number of another: they are merged.
Everything follows from the seed.
"""

import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import population

COLUMNS = {"E-mail": "email", "Phone": "phone", "First name": "firstName", "Last name": "lastName", "City": "city"}
"""Each with its trait."""

MAX_ROWS = 1_500_000  # less than 100 MiB

_NAMES = ("Ada", "Grace", "Edsger", "Alan", "Barbara", "Donald", "Frances", "John", "Margaret", "Niklaus")
_CITIES = ("Gary", "Paris", "Rome", "Lima", "Oslo", "Pune", "Accra", "Quito", "Perth", "Kyoto")
_SPARE = 20_000_000  # added to a person's number for that of another phone

Row = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class People:
    """`first`: the number of the first of them. `bad`: every so many rows, one is refused."""

    rows: int
    first: int = 0
    bad: int | None = None

    def __iter__(self) -> Iterator[Row]:
        """In the order of `COLUMNS`."""
        chosen = random.Random(self.first)  # noqa: S311 -- a load
        there, kind = self.first, 0
        for number in range(self.rows):
            named = (_NAMES[number % 10], f"{_NAMES[number // 10 % 10]}son", _CITIES[number % 7])
            if number % 5 != 4 or there == self.first:  # noqa: PLR2004 -- four newcomers, and one who is known
                i = phone = there
                there += 1
            else:
                i = phone = chosen.randrange(self.first, there)
                kind = (kind + 1) % 10
                if kind in (1, 2):
                    phone = i + _SPARE
                elif kind == 3:  # noqa: PLR2004 -- see above
                    phone = chosen.randrange(self.first, there)
            digits = population.phone_digits(phone) if not self.bad or number % self.bad else "unknown"
            yield (population.email(i), f"+{digits}", *named)

    def newcomers(self) -> Sequence[int]:
        """The numbers of all whom the rows are about."""
        return range(self.first, self.first + self.rows - self.rows // 5)


def write(path: Path, people: People) -> int:
    """Give the size in bytes."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(people)
    return path.stat().st_size
