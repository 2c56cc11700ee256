"""Accounts and their credentials in SQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials, Scope
from profile_lookup.clock import CLOCK
from profile_lookup.database.ids import new_id
from profile_lookup.database.tables import account, credential

_IS_KEY = credential.c.sid.not_in(select(account.c.sid))


async def account_of(connection: AsyncConnection, sid: str) -> UUID | None:
    found: UUID | None = await connection.scalar(select(account.c.id).where(account.c.sid == sid))
    return found


async def all_accounts(connection: AsyncConnection) -> Sequence[Row[UUID, str, str]]:
    """Return (id, sid, name) of all accounts, oldest first."""
    query = select(account.c.id, account.c.sid, account.c.name).order_by(account.c.id)
    return (await connection.execute(query)).all()


async def verified(
    connection: AsyncConnection, credentials: Credentials
) -> Row[UUID, str, float | None, int | None] | None:
    """Return (account_id, scope, rate_per_second, rate_burst), or None if there are no such credentials."""
    query = select(
        credential.c.account_id, credential.c.scope, credential.c.rate_per_second, credential.c.rate_burst
    ).where(credential.c.sid == credentials.sid, credential.c.secret_sha256 == credentials.secret_sha256)
    return (await connection.execute(query)).one_or_none()


async def ensure_account(connection: AsyncConnection, name: str, token: Credentials) -> UUID:
    """Return the account with this SID, and create it if there is none. Its only auth token is `token` from now on."""
    await connection.execute(
        upsert(account)
        .values(id=new_id(), sid=token.sid, name=name, created_at=CLOCK.now())
        .on_conflict_do_nothing(index_elements=[account.c.sid])
    )
    account_id = await account_of(connection, token.sid)
    assert account_id is not None
    await connection.execute(
        upsert(credential)
        .values(
            account_id=account_id,
            sid=token.sid,
            secret_sha256=token.secret_sha256,
            scope="full",
            name="auth token",
            created_at=CLOCK.now(),
        )
        .on_conflict_do_update(index_elements=[credential.c.sid], set_={"secret_sha256": token.secret_sha256})
    )
    return account_id


async def add_key(connection: AsyncConnection, account_id: UUID, key: Credentials, *, scope: Scope, name: str) -> None:
    await connection.execute(
        insert(credential).values(
            account_id=account_id,
            sid=key.sid,
            secret_sha256=key.secret_sha256,
            scope=scope,
            name=name,
            created_at=CLOCK.now(),
        )
    )


async def keys_of(connection: AsyncConnection, account_id: UUID) -> Sequence[Row[str, str, str, datetime]]:
    """Return (sid, scope, name, created_at) of an account's API keys, oldest first."""
    query = (
        select(credential.c.sid, credential.c.scope, credential.c.name, credential.c.created_at)
        .where(credential.c.account_id == account_id, _IS_KEY)
        .order_by(credential.c.created_at)
    )
    return (await connection.execute(query)).all()


async def remove_key(connection: AsyncConnection, sid: str) -> bool:
    """Delete an API key, and return whether there was one."""
    removed = await connection.execute(delete(credential).where(credential.c.sid == sid, _IS_KEY))
    return removed.rowcount > 0
