"""People whom identifiers joined, made over the API."""

from tests.console.browser import Console

SCRIPT = "<script>document.title = 'hacked'</script>"
RIGHT_TO_LEFT = "\u202eآن"
LONG = "W" * 255


def create(console: Console, **contact: str) -> str:
    """Create a profile, or update the one that the identifiers name, and return its ID."""
    path = f"/v1/Stores/{console.store_id}/Profiles"
    created = console.api.post(path, json={"traits": {"Contact": contact}})
    assert created.status_code == 202, created.text
    profile_id: str = created.json()["id"]
    return profile_id


def create_ann_and_bob(console: Console, number: int) -> str:
    """Make Ann and Bob one person by three joins, and return the ID of it. Each test has a number of its own."""
    ann, bob = f"ann{number}@example.com", f"+1317555{number:04}"
    profile_id = create(console, email=ann, firstName="Ann", lastName="Abel")
    create(console, phone=bob, firstName="Bob", lastName="Berg")
    create(console, email=ann, phone=bob, firstName="Annie")
    create(console, email=f"bob{number}@example.com", phone=bob, firstName="Robert")
    create(console, email=f"rob{number}@example.com", phone=bob, firstName="Rob")
    return profile_id


def look_up(console: Console, id_type: str, value: str) -> list[str]:
    path = f"/v1/Stores/{console.store_id}/Profiles/Lookup"
    answer = console.api.post(path, json={"idType": id_type, "value": value})
    assert answer.status_code == 200, answer.text
    profiles: list[str] = answer.json()["profiles"]
    return profiles
