"""The steps of an import over HTTP."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from tests.conftest import PATIENCE

CONTACT = {"E-mail": "email", "Phone": "phone", "First": "firstName"}


def mappings(**trait_of_column: str) -> list[dict[str, str]]:
    """Return mappings from columns to traits of `Contact`. By default, they are those of `CONTACT`."""
    columns: Mapping[str, str] = trait_of_column or CONTACT
    return [{"columnName": column, "traitGroup": "Contact", "traitName": trait} for column, trait in columns.items()]


async def create(
    client: httpx.AsyncClient,
    store_id: str,
    size: int,
    columns: list[dict[str, str]] | None = None,
    options: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    body = {"filename": "people.csv", "fileSize": size, "columnMappings": columns or mappings(), **(options or {})}
    created = await client.post(f"/v1/Stores/{store_id}/Profiles/Imports", json=body)
    assert created.status_code == 201, created.text
    answer: dict[str, Any] = created.json()
    return answer


async def upload(client: httpx.AsyncClient, url: str, content: bytes) -> httpx.Response:
    """Upload the file without credentials, because the URL is signed."""
    return await client.put(url, content=content, auth=httpx.BasicAuth("", ""))


def path_of(store_id: str, created: Mapping[str, Any]) -> str:
    return f"/v1/Stores/{store_id}/Profiles/Imports/{created['importId']}"


async def ended(client: httpx.AsyncClient, store_id: str, created: Mapping[str, Any]) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        while True:
            answer: dict[str, Any] = (await client.get(path_of(store_id, created))).json()
            if answer["status"] in ("COMPLETED", "FAILED"):
                return answer
            await asyncio.sleep(0.05)


async def imported(
    client: httpx.AsyncClient,
    store_id: str,
    content: str | bytes,
    columns: list[dict[str, str]] | None = None,
    options: Mapping[str, object] | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Import a file, and return the ended import and the lines about refused rows."""
    file = content if isinstance(content, bytes) else content.encode()
    created = await create(client, store_id, len(file), columns, options)
    assert (await upload(client, created["url"], file)).status_code == 200
    answer = await ended(client, store_id, created)
    refused = await client.get(f"{path_of(store_id, created)}/RefusedRows")
    assert refused.status_code == 200
    return answer, refused.text.splitlines()[1:]


async def ignored_cells(client: httpx.AsyncClient, answer: Mapping[str, Any]) -> list[str]:
    """Return the lines about the ignored cells of an import that has some."""
    cells = await client.get(answer["ignoredCellsUrl"])
    assert cells.status_code == 200
    return cells.text.splitlines()[1:]
