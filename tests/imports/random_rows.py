"""Rows of which most are about new people, and a store that knows some of the others."""

import random
from collections.abc import Iterator

import httpx

from tests.conftest import change_settings, make_profile, make_store

COLUMNS = {"E-mail": "email", "Phone": "phone", "First": "firstName"}
GROUP = {"displayName": "More", "traits": {"chats": {"dataType": "ARRAY", "idTypePromotion": "chat"}}}

NO_NUMBER = "no number"

Row = tuple[str, str, str, list[str]]  # e-mail, phone, first name, and chats


async def make_known_store(client: httpx.AsyncClient, name: str) -> str:
    """Make a store that knows some people, keeps two chats of each, and lets several people share a chat."""
    store_id = await make_store(client, name)
    await change_settings(client, store_id, chat={"enforceUnique": False, "limit": 2})
    assert (await client.post(f"/v1/ControlPlane/Stores/{store_id}/TraitGroups", json=GROUP)).status_code == 202
    for number in range(5):
        await make_profile(client, store_id, email=f"known-{number}@example.com", phone=f"+1317555000{number}")
    return store_id


def random_rows(count: int, seed: int = 1) -> Iterator[Row]:
    """Yield rows of which most are about new people. Others are about known people, blocked, or refused."""
    chosen = random.Random(seed)
    for number in range(count):
        email, phone = f"new-{number}@example.com", f"+1317556{number:04}"
        chats = [f"chat {number} {place}" for place in range(chosen.randrange(4))]
        kind = chosen.randrange(20)
        if kind == 0:
            email = f"known-{chosen.randrange(8)}@example.com"
        elif kind == 1:
            phone = f"+1317555000{chosen.randrange(8)}"
        elif kind == 2:
            email, phone = f"new-{chosen.randrange(count)}@example.com", ""
        elif kind == 3:
            email = chosen.choice(("n/a", "test@test.com", "noemail@example.com"))
        elif kind == 4:
            phone = NO_NUMBER
        elif kind == 5:
            email, phone = "", chosen.choice(("", "unknown"))
        elif kind == 6:
            chats.append(f"shared {chosen.randrange(3)}")
        elif kind == 7:
            email, phone = f"known-{chosen.randrange(8)}@example.com", f"+1317555000{chosen.randrange(8)}"
        yield email, phone, chosen.choice(("Ann", "Bob", "")), chats
