"""What this service signs, so that it knows it again: one secret for all replicas, made by a migration."""

from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import select

from profile_lookup.database.pool import DatabaseOfApp
from profile_lookup.database.tables import signing_key


async def _signing_secret(request: Request, database: DatabaseOfApp) -> bytes:
    """Read once: it never changes."""
    secret: bytes | None = getattr(request.app.state, "signing_secret", None)
    if secret is None:
        async with database.statements() as connection:
            secret = (await connection.execute(select(signing_key.c.secret))).scalar_one()
        request.app.state.signing_secret = secret
    return secret


SigningSecret = Annotated[bytes, Depends(_signing_secret)]
