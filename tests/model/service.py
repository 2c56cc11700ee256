"""A store of the running service, read and written as clients do, and the answers that the model expects."""

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from tests.conftest import finished
from tests.model.model import Answer, Model, Refused
from tests.model.requests import Request

CONTROL_PLANE = "/v1/ControlPlane/Stores"


@dataclass(frozen=True)
class Store:
    client: httpx.AsyncClient
    id: str

    @classmethod
    async def make(cls, client: httpx.AsyncClient) -> "Store":
        accepted = await client.post(CONTROL_PLANE, json={"displayName": f"store-{uuid4()}"})
        return cls(client, (await finished(client, accepted))["result"]["id"])

    async def call(self, method: str, path: str, body: Any = None, *, is_control_plane: bool = False) -> httpx.Response:
        root = CONTROL_PLANE if is_control_plane else "/v1/Stores"
        return await self.client.request(method, f"{root}/{self.id}{path}", json=body)

    async def send(self, request: Request) -> Answer:
        """Send the request. If it starts an operation, wait until that has ended."""
        http = request.http()
        answer = await self.call(http.method, http.path, http.body, is_control_plane=http.is_control_plane)
        if answer.status_code == 202 and "Operation-Id" in answer.headers:
            return Answer(202, (await finished(self.client, answer)).get("error", {}).get("code"))
        return _read(answer)

    async def profiles(self) -> list[str]:
        """Return the profile IDs, the oldest first."""
        answer = (await self.call("GET", "/Profiles?pageSize=1000&orderBy=ASC")).json()
        assert "nextToken" not in answer["meta"]
        profiles: list[str] = answer["profiles"]
        return profiles

    async def identifier_sets(self, profile: str) -> list[tuple[str, list[str]]]:
        answer = (await self.call("GET", f"/Profiles/{profile}/Identifiers")).json()
        return [(found["idType"], found["values"]) for found in answer["identifiers"]]

    async def trait_list(self, profile: str) -> list[tuple[str, str, Any]]:
        answer = (await self.call("GET", f"/Profiles/{profile}/Traits?pageSize=1000")).json()
        return [(trait["traitGroup"], trait["name"], trait["value"]) for trait in answer["traits"]]

    async def profile(self, profile: str) -> Answer:
        return _read(await self.call("GET", f"/Profiles/{profile}"))

    async def look_up(self, id_type: str, value: str) -> tuple[Answer, str | None, list[str]]:
        """Return the answer, the normalized value, and the profiles that have it."""
        answer = await self.call("POST", "/Profiles/Lookup", {"idType": id_type, "value": value})
        if answer.status_code != 200:
            return _read(answer), None, []
        return Answer(200), answer.json()["normalizedValue"], answer.json()["profiles"]

    async def version(self) -> int:
        answer = await self.call("GET", "/IdentityResolutionSettings", is_control_plane=True)
        version: int = answer.json()["version"]
        return version


View = dict[tuple[str, ...], Any]
"""Everything that clients can read of a store: each query with its answer."""


async def view(store: Store, sent: Iterable[tuple[str, str]], profiles: Iterable[str]) -> View:
    """Read a store. `sent`: identifiers to look up; `profiles`: every ID that ever existed."""
    canonical = await store.profiles()
    queries: dict[tuple[str, ...], Coroutine[Any, Any, Any]] = {
        ("version",): store.version(),
        **{("identifiers", profile): store.identifier_sets(profile) for profile in canonical},
        **{("traits", profile): store.trait_list(profile) for profile in canonical},
        **{("profile", profile): store.profile(profile) for profile in set(profiles) - set(canonical)},
        **{("look up", *identifier): store.look_up(*identifier) for identifier in sent},
    }
    answers = await asyncio.gather(*queries.values())
    return {("profiles",): canonical, **dict(zip(queries, answers, strict=True))}


def expected_view(model: Model, sent: Iterable[tuple[str, str]], profiles: Iterable[str]) -> View:
    return {
        ("profiles",): sorted(model.people),
        ("version",): model.version,
        **{("identifiers", profile): model.identifier_sets(profile) for profile in model.people},
        **{("traits", profile): model.trait_list(profile) for profile in model.people},
        **{("profile", profile): _profile(model, profile) for profile in set(profiles) - model.people.keys()},
        **{("look up", *identifier): _look_up(model, *identifier) for identifier in sent},
    }


def distinct_identifiers(model: Model, sent: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return one of the sent identifiers for each result: one per normalized identifier, one per kind of refusal."""
    return list({(id_type, _look_up(model, id_type, value)[:2]): (id_type, value) for id_type, value in sent}.values())


def _profile(model: Model, profile: str) -> Answer:
    try:
        model.person(profile, 301)
    except Refused as refused:
        return refused.answer
    return Answer(200, profile=profile)


def _look_up(model: Model, id_type: str, value: str) -> tuple[Answer, str | None, list[str]]:
    try:
        identifier = model.normalized(id_type, value)
    except Refused as refused:
        return refused.answer, None, []
    return Answer(200), identifier[1], model.profiles_with(identifier)


def _read(answer: httpx.Response) -> Answer:
    if answer.status_code in (301, 308):
        canonical = answer.headers["Canonical-Profile-Id"]
        requested = answer.request.url.path.split("/")[5]
        assert answer.headers["Location"] == str(answer.request.url).replace(requested, canonical)
        return Answer(answer.status_code, profile=canonical)
    body = answer.json()
    if answer.is_error:
        assert body["status"] == answer.status_code
    return Answer(answer.status_code, body.get("code"), body.get("id"))
