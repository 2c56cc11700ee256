"""A merged profile, and every request that may be for one."""

from typing import Any

import httpx

from tests.conftest import make_profile

REQUESTS: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("PATCH", "", {"traits": {"Contact": {"city": "Fishers"}}}),
    ("DELETE", "", None),
    ("GET", "/Traits", None),
    ("GET", "/Identifiers", None),
    ("POST", "/Identifiers", {"idType": "phone", "value": "+13175551234"}),
    ("GET", "/Identifiers/chat", None),
    ("PATCH", "/Identifiers/chat", {"idType": "chat", "oldValue": "c-1", "newValue": "c-2"}),
    ("DELETE", "/Identifiers/chat", None),
]


async def make_merged(client: httpx.AsyncClient, store_id: str) -> tuple[str, str]:
    """Return a canonical ID and the ID of a profile that was merged into it by way of a third one."""
    canonical, _, last = [
        await make_profile(client, store_id, **{id_type: "c-1" if id_type == "chat" else f"{id_type}@example.com"})
        for id_type in ("chat", "email", "whatsapp")
    ]
    await make_profile(client, store_id, email="email@example.com", whatsapp="whatsapp@example.com")
    assert await make_profile(client, store_id, chat="c-1", email="email@example.com") == canonical
    return canonical, last
