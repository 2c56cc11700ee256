"""People for the console to show, made by the API."""

import httpx

HOSTILE = "<script>alert(1)</script>"
RIGHT_TO_LEFT = "\u202eعلي \u05d0\u05d1\u05d2"
LONG = "w" * 255


def add_person(api: httpx.Client, store_id: str, **contact: object) -> str:
    """Create or update a person by the traits of the group `Contact`, and return the ID."""
    answer = api.post(f"/v1/Stores/{store_id}/Profiles", json={"traits": {"Contact": contact}})
    assert answer.status_code == 202, answer.text
    profile_id: str = answer.json()["id"]
    return profile_id


def canonical_id(api: httpx.Client, store_id: str, id_type: str, value: str) -> str:
    """Return the ID of the one person who has this identifier now."""
    answer = api.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json={"idType": id_type, "value": value})
    (profile_id,) = answer.json()["profiles"]
    found: str = profile_id
    return found


def add_identifier(api: httpx.Client, store_id: str, profile_id: str, id_type: str, value: str) -> None:
    body = {"idType": id_type, "value": value}
    answer = api.post(f"/v1/Stores/{store_id}/Profiles/{profile_id}/Identifiers", json=body)
    assert answer.status_code == 202, answer.text


def identifiers_of(api: httpx.Client, store_id: str, profile_id: str) -> dict[str, list[str]]:
    answer = api.get(f"/v1/Stores/{store_id}/Profiles/{profile_id}/Identifiers")
    return {each["idType"]: each["values"] for each in answer.json()["identifiers"]}


def add_merged_person(api: httpx.Client, store_id: str) -> str:
    """Make two people, who become one by a third request, and return the ID that is left."""
    add_person(api, store_id, firstName="Grace", email="grace.hopper@example.com")
    add_person(api, store_id, firstName="G.", lastName="Hopper", phone="+1 317 555 6789")
    add_person(
        api, store_id, firstName="Grace", lastName="Hopper", email="grace.hopper@example.com", phone="+13175556789"
    )
    return canonical_id(api, store_id, "phone", "+13175556789")
