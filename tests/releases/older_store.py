"""What a real process with an older phonenumbers writes: the same people each time, as far as it knows their numbers."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import PATIENCE, finished, make_profile, make_store
from tests.program.conftest import base_url_in, environment
from tests.releases.older import environment_with

ACCOUNT, TOKEN = "ACd0000000000000000000000000000000", "aTokenOfAtLeast24Characters"
OLD_COMMIT = "ab3eaa2"
"""The last commit without a renumbering table: it stores numbers as its release of phonenumbers reads them."""

_PROGRAM = [sys.executable, "-m", "profile_lookup"]


class Person(NamedTuple):
    """`sent` is what the older process gets. All `spellings` find the person, and `later` ones after the operation."""

    id_type: str
    sent: str
    spellings: Sequence[str]
    later: Sequence[str] = ()


PEOPLE = {
    "Benin": Person("phone", "+22997123456", ["+22997123456", "+2290197123456", "+229 97 12 34 56"]),
    "Brazil": Person("phone", "+553196883193", ["+553196883193", "+5531996883193"]),
    "Croatia": Person("phone", "+385611234", ["+385611234"]),  # newer releases refuse it: it is too short
    "Mexico": Person("phone", "+525512345678", ["+525512345678", "+5215512345678"]),
    "Mexico, before 2019": Person("phone", "+5215587654321", ["+5215587654321", "+525587654321"]),
    "Nigeria": Person("phone", "+23418040123", ["+23418040123", "+2342018040123"]),
    "Viet Nam": Person("phone", "+841695678945", ["+841695678945", "+84395678945"]),
    "NFD": Person("email", "ann@bu\u0308cher.example", ["ann@bu\u0308cher.example"], ["ann@b\u00fccher.example"]),
    "Invisible": Person("email", "cid\u200b@example.com", ["cid\u200b@example.com"], ["cid@example.com"]),
    "Invisible, in a chat": Person("chat", "\u200bdan", ["\u200bdan"], ["dan"]),
    "IDNA": Person("email", "bea@xn--bcher-kva.example", ["bea@xn--bcher-kva.example"], ["bea@b\u00fccher.example"]),
}
CROWD = [f"+553196{number:06}" for number in range(900_000, 900_250)]
"""More old numbers of Brazil than one step of the operation rewrites."""


class Writer(NamedTuple):
    """An older process. `commit` is None for the code of this checkout. It refuses the numbers of `refused`."""

    phonenumbers: str
    commit: str | None
    refused: frozenset[str]

    def __str__(self) -> str:
        return f"phonenumbers {self.phonenumbers}, {self.commit or 'this code'}"


WRITERS = [
    Writer("8.13.30", OLD_COMMIT, frozenset()),
    Writer("9.0.42", OLD_COMMIT, frozenset({"Croatia", "Mexico, before 2019", "Nigeria"})),
    Writer("8.13.30", None, frozenset({"Benin"})),
    Writer("9.0.42", None, frozenset({"Croatia"})),
]


class OlderStore(NamedTuple):
    """`profiles` are the wire IDs by the names of `PEOPLE`; the crowd is in the store, too."""

    database: str
    store_id: str
    profiles: dict[str, str]


async def write_older_store(database_url: str, writer: Writer, release: Path, source: Path) -> OlderStore:
    """Let an older process create its schema and write the people over HTTP. `release` and `source` are directories."""
    with pytest.MonkeyPatch.context() as older:
        older.setenv("PYTHONPATH", environment_with(release, source)["PYTHONPATH"])
        _expect_modules(release, source)
        migrate(database_url)
        account = {"BOOTSTRAP_ACCOUNT_SID": ACCOUNT, "BOOTSTRAP_AUTH_TOKEN": TOKEN}
        with _serving(DATABASE_URL=database_url, **account) as base_url:
            async with httpx.AsyncClient(base_url=base_url, auth=(ACCOUNT, TOKEN), timeout=PATIENCE) as client:
                store_id = await make_store(client)
                profiles = await _write_people(client, store_id, writer)
    return OlderStore(urlsplit(database_url).path[1:], store_id, profiles)


def migrate(database_url: str) -> None:
    """Create the schema of the code that Python finds, in a process of its own."""
    subprocess.run([*_PROGRAM, "migrate"], env=environment(DATABASE_URL=database_url), check=True, capture_output=True)


@contextmanager
def _serving(**settings: object) -> Iterator[str]:
    """Serve by the code that Python finds, which is not that of forked commands, and yield the address."""
    arguments = [*_PROGRAM, "serve", "--port", "0"]
    with subprocess.Popen(arguments, env=environment(**settings), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield base_url_in([process.stdout.readline().rstrip("\n")])
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


def _expect_modules(release: Path, source: Path) -> None:
    """Check that a process like the one that will serve loads the older release, and the code that is meant."""
    code = "import phonenumbers, profile_lookup as p; print(phonenumbers.__file__); print(p.__file__)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split("\n")
    assert loaded[:2] == [str(release / "phonenumbers/__init__.py"), str(source / "profile_lookup/__init__.py")]


async def _write_people(client: httpx.AsyncClient, store_id: str, writer: Writer) -> dict[str, str]:
    profiles = {}
    for name, person in PEOPLE.items():
        if name not in writer.refused:
            profiles[name] = await make_profile(client, store_id, **{person.id_type: person.sent}, firstName=name)
        else:
            sent = {"traits": {"Contact": {person.id_type: person.sent}}}
            assert (await client.post(f"/v1/Stores/{store_id}/Profiles", json=sent)).status_code == 400
    crowd = [{"traits": {"Contact": {"phone": phone}}} for phone in CROWD]
    accepted = await client.put(f"/v1/Stores/{store_id}/Profiles/Bulk", json={"profiles": crowd})
    assert (await finished(client, accepted))["status"] == "COMPLETED"
    return profiles
