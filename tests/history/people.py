"""Profiles with a history."""

import httpx

from tests.conftest import make_profile


async def make_ann_and_bob_one(client: httpx.AsyncClient, store_id: str) -> tuple[str, str]:
    """Return the ID of a profile, and that of another one that merged into it."""
    ann = await make_profile(client, store_id, email="ann@example.com")
    bob = await make_profile(client, store_id, phone="+13175550001")
    await make_profile(client, store_id, email="ann@example.com", phone="+13175550001")
    return ann, bob
