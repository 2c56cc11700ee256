"""People whom identifiers joined, made over the API."""

from tests.console.browser import Console
from tests.console.people import add_person


def create(console: Console, **contact: str) -> str:
    """Create a person, or update the one whom the identifiers name, and return the ID."""
    return add_person(console.api, console.store_id, **contact)


def create_ann_and_bob(console: Console, number: int) -> str:
    """Make Ann and Bob one person by three joins, and return the ID of it. Each test has a number of its own."""
    ann, bob = f"ann{number}@example.com", f"+1317555{number:04}"
    person_id = create(console, email=ann, firstName="Ann", lastName="Abel")
    create(console, phone=bob, firstName="Bob", lastName="Berg")
    create(console, email=ann, phone=bob, firstName="Annie")
    create(console, email=f"bob{number}@example.com", phone=bob, firstName="Robert")
    create(console, email=f"rob{number}@example.com", phone=bob, firstName="Rob")
    return person_id


def look_up(console: Console, id_type: str, value: str) -> list[str]:
    path = f"/v1/Stores/{console.store_id}/Profiles/Lookup"
    answer = console.api.post(path, json={"idType": id_type, "value": value})
    assert answer.status_code == 200, answer.text
    people: list[str] = answer.json()["profiles"]
    return people
