"""Callers with API keys of every kind."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from tests.conftest import BASE_URL
from tests.contract.conforming import ConformingTransport

KEYS = "/v1/ControlPlane/Keys"
SCOPES = ("lookup", "read", "write", "manage")


@asynccontextmanager
async def caller(app: FastAPI, sid: str, secret: str) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client with these credentials."""
    transport = ConformingTransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, auth=(sid, secret)) as opened:
        yield opened


async def make_key(client: httpx.AsyncClient, *scopes: str, **more: Any) -> dict[str, Any]:
    """Make a key with these scopes, or with all, and return the answer's body."""
    made = await client.post(KEYS, json={"name": "made", "scopes": scopes or SCOPES, **more})
    assert made.status_code == 201, made.text
    key: dict[str, Any] = made.json()
    return key


@asynccontextmanager
async def with_key(
    app: FastAPI, client: httpx.AsyncClient, *scopes: str, **more: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client that calls with a new key, made by `client`."""
    key = await make_key(client, *scopes, **more)
    async with caller(app, key["sid"], key["secret"]) as opened:
        yield opened
