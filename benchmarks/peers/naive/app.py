"""The routes and their dependencies."""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from benchmarks.peers.naive.models import Credential, Identifier, Store
from benchmarks.peers.naive.normalization import normalize
from benchmarks.peers.naive.writes import write_profile

MAX_PROFILES = 100
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"

engine = create_async_engine(
    "postgresql+asyncpg://",
    connect_args={
        "host": os.environ["PEER_DATABASE_HOST"],
        "user": "postgres",
        "database": os.environ["PEER_DATABASE"],
        "server_settings": {"jit": "off"},
    },
    pool_size=int(os.environ["PEER_POOL_SIZE"]),
    max_overflow=0,
)
make_session = async_sessionmaker(engine, expire_on_commit=False)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan, telemetry={"tracing": False, "metrics": False, "logs": False})
security = HTTPBasic()


class Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class LookupRequest(Wire):
    id_type: str = Field(min_length=2, max_length=30)
    value: str = Field(min_length=1, max_length=255)


class LookupResponse(Wire):
    normalized_value: str
    profiles: list[str]


class ProfileData(Wire):
    traits: dict[str, dict[str, Any]]


class ProfileCreated(Wire):
    message: str
    id: str


async def get_session() -> AsyncIterator[AsyncSession]:
    async with make_session() as session:
        yield session


SessionOfRequest = Annotated[AsyncSession, Depends(get_session)]


async def get_account(
    credentials: Annotated[HTTPBasicCredentials, Depends(security)], session: SessionOfRequest
) -> UUID:
    digest = hashlib.sha256(credentials.password.encode()).digest()
    credential = await session.scalar(
        select(Credential).where(Credential.sid == credentials.username, Credential.secret_sha256 == digest)
    )
    if credential is None:
        raise HTTPException(401, "Invalid credentials")
    return credential.account_id


async def get_store(
    store_id: str, account_id: Annotated[UUID, Depends(get_account)], session: SessionOfRequest
) -> Store:
    store = await session.get(Store, (account_id, _uuid(store_id)))
    if store is None or store.status != "ACTIVE":
        raise HTTPException(404, "Store not found")
    return store


StoreOfRequest = Annotated[Store, Depends(get_store)]


@app.post("/v1/Stores/{store_id}/Profiles/Lookup")
async def look_up(store: StoreOfRequest, body: LookupRequest, session: SessionOfRequest) -> LookupResponse:
    configs = {config["id_type"]: config for config in store.settings["identifier_configs"]}
    if body.id_type not in configs:
        raise HTTPException(400, "Unknown identifier type")
    try:
        value = normalize(configs[body.id_type]["normalization"], body.value)
    except ValueError as error:
        raise HTTPException(400, str(error)) from error
    identifiers = await session.scalars(
        select(Identifier)
        .where(Identifier.store_id == store.id, Identifier.id_type == body.id_type, Identifier.value == value)
        .order_by(Identifier.profile_id)
        .limit(MAX_PROFILES)
    )
    profiles = [_profile_id(identifier.profile_id) for identifier in identifiers]
    return LookupResponse(normalized_value=value, profiles=profiles)


@app.post("/v1/Stores/{store_id}/Profiles", status_code=202)
async def create_profile(store: StoreOfRequest, body: ProfileData, session: SessionOfRequest) -> ProfileCreated:
    try:
        profile_id = await write_profile(session, store, body.traits)
    except ValueError as error:
        raise HTTPException(400, str(error)) from error
    return ProfileCreated(message="Profile resolved and accepted for processing.", id=_profile_id(profile_id))


def _profile_id(uuid: UUID) -> str:
    return "mem_profile_" + "".join(ALPHABET[uuid.int >> shift & 31] for shift in range(125, -1, -5))


def _uuid(store_id: str) -> UUID:
    prefix, _, suffix = store_id.rpartition("_")
    if prefix not in ("mem_store", "mem_service") or len(suffix) != 26:  # noqa: PLR2004 -- of 5 bits each
        raise HTTPException(400, "Malformed store ID")
    try:
        number = 0
        for character in suffix:
            number = number << 5 | ALPHABET.index(character)
        return UUID(int=number)
    except ValueError:
        raise HTTPException(404, "Store not found") from None
