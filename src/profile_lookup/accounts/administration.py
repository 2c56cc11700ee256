"""What operators do with accounts: list, disable and delete them, and rotate their auth tokens."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Row, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials, digest, new_secret
from profile_lookup.clock import CLOCK
from profile_lookup.database.tables import account, credential, operation

MAX_OVERLAP = 604_800
"""The most seconds that a former token is accepted beside the new one: a week."""


async def all_accounts(connection: AsyncConnection) -> Sequence[Row[UUID, str, str, datetime, bool]]:
    """Return (id, sid, name, created_at, is_enabled) of all accounts, oldest first."""
    query = (
        select(account.c.id, account.c.sid, account.c.name, account.c.created_at, account.c.is_enabled)
        .where(account.c.deleted_at.is_(None))
        .order_by(account.c.id)
    )
    return (await connection.execute(query)).all()


async def rotate_token(connection: AsyncConnection, account_id: UUID, token: Credentials, overlap: timedelta) -> None:
    """Make `token` the account's auth token. The former one is accepted for `overlap` more.

    A token that was former already is refused from now on.
    """
    await connection.execute(
        update(credential)
        .where(credential.c.account_id == account_id, credential.c.sid == token.sid)
        .values(
            secret_sha256=token.secret_sha256,
            former_sha256=credential.c.secret_sha256,
            former_until=func.now() + overlap,
        )
    )


async def set_enabled(connection: AsyncConnection, account_id: UUID, *, is_enabled: bool) -> None:
    """Refuse, or accept again, all credentials of an account. A foreign key passes it on to them."""
    await connection.execute(update(account).where(account.c.id == account_id).values(is_enabled=is_enabled))


async def refuse_secret(connection: AsyncConnection, secret_sha256: bytes) -> bool:
    """Refuse a secret from now on, and return whether any credentials had it.

    Nobody knows the secret that replaces it. `rotate_token` gives an account another one.
    """
    changed = await connection.execute(
        update(credential)
        .where(or_(credential.c.secret_sha256 == secret_sha256, credential.c.former_sha256 == secret_sha256))
        .values(secret_sha256=digest(new_secret()), former_sha256=None, former_until=None)
    )
    return changed.rowcount > 0


async def lock_account(connection: AsyncConnection, account_id: UUID) -> None:
    """Let nobody create a key or a store of the account until the transaction ends."""
    await connection.execute(select(account.c.id).where(account.c.id == account_id).with_for_update())


async def mark_deleted(connection: AsyncConnection, account_id: UUID) -> None:
    """Delete the credentials, the name and the SID of a locked account. `remove_deleted` deletes the row."""
    await connection.execute(delete(credential).where(credential.c.account_id == account_id))
    await connection.execute(
        update(account)
        .where(account.c.id == account_id)
        .values(sid=str(account_id), name="", is_enabled=False, deleted_at=CLOCK.now())
    )


async def remove_deleted(connection: AsyncConnection) -> None:
    """Delete the rows of deleted accounts that no operation belongs to any more."""
    has_operations = select(operation.c.id).where(operation.c.account_id == account.c.id).exists()
    deleted = select(account.c.id).where(account.c.deleted_at.is_not(None), ~has_operations)
    # Citus cannot read operations in the statement that deletes, since they are on the coordinator alone.
    await connection.execute(delete(account).where(account.c.id.in_((await connection.scalars(deleted)).all())))
