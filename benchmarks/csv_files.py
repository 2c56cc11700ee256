"""The imported file: people of the population with names and cities, and some rows about people of earlier rows.

Every fifth row is about a person of an earlier row. Of ten such rows, seven change a person's traits, two add another
phone number, and one contains the e-mail address of one person and the number of another, who are then merged. The seed
determines everything.
"""

import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import population

COLUMNS = {"E-mail": "email", "Phone": "phone", "First name": "firstName", "Last name": "lastName", "City": "city"}
"""The columns of the file, each with its trait."""

MAX_ROWS = 1_500_000  # less than 100 MiB

_NAMES = ("Ada", "Grace", "Edsger", "Alan", "Barbara", "Donald", "Frances", "John", "Margaret", "Niklaus")
_CITIES = ("Gary", "Paris", "Rome", "Lima", "Oslo", "Pune", "Accra", "Quito", "Perth", "Kyoto")
_SPARE = 20_000_000  # added to a person's number to get the number of another phone

Row = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class People:
    """The rows of a file. `first`: the number of the first person; `bad`: one of so many rows is refused.

    If the file is `worldwide`, all numbers are from abroad, and written without +, so that they must be recognized.
    """

    rows: int
    first: int = 0
    bad: int | None = None
    worldwide: bool = False

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows, with the fields in the order of `COLUMNS`."""
        chosen = random.Random(self.first)  # noqa: S311 -- only load
        next_person, kind = self.first, 0
        for number in range(self.rows):
            name_and_city = (_NAMES[number % 10], f"{_NAMES[number // 10 % 10]}son", _CITIES[number % 7])
            if number % 5 != 4 or next_person == self.first:  # noqa: PLR2004 -- four new people, and one known person
                i = phone = next_person
                next_person += 1
            else:
                i = phone = chosen.randrange(self.first, next_person)
                kind = (kind + 1) % 10
                if kind in (1, 2):
                    phone = i + _SPARE
                elif kind == 3:  # noqa: PLR2004 -- see above
                    phone = chosen.randrange(self.first, next_person)
            digits = self.digits_of(phone) if not self.bad or number % self.bad else "unknown"
            yield (population.email(i), digits if self.worldwide else f"+{digits}", *name_and_city)

    def digits_of(self, person: int) -> str:
        return population.worldwide_digits(person) if self.worldwide else population.phone_digits(person)

    def newcomers(self) -> Sequence[int]:
        """Return the numbers of all people in the rows."""
        return range(self.first, self.first + self.rows - self.rows // 5)


def write(path: Path, people: People) -> int:
    """Write the file, and return its size in bytes."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(people)
    return path.stat().st_size
