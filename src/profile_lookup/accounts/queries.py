"""Accounts and their credentials in SQL: who calls, and who may call."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import literal, select, text
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.accounts.grants import FULL, Caller, Grant
from profile_lookup.accounts.verification import USABLE, verified
from profile_lookup.clock import CLOCK
from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.database.tables import account, credential

_CALLER = """
    select
        account.id, account.sid, credential.sid = account.sid as is_account_token, credential.scopes,
        credential.store_ids, credential.rate_per_second, credential.rate_burst, credential.expires_at
    from credential
    join account on account.id = credential.account_id
"""
_VERIFIED = f"{_CALLER} where {verified(':sid', ':secret_sha256')}"
_VERIFY = text(_VERIFIED)
# Whoever deletes or disables an account locks these in the same order.
_VERIFY_AND_LOCK = text(f"{_VERIFIED} for key share of account for no key update of credential")
_ADMISSION = f"{_CALLER} where {verified('$1', '$2')}"
_ACCEPTED = f"""
    select secret_sha256, case when former_until > now() then former_sha256 end as former_sha256
    from credential where sid = $1 and {USABLE} and not exists (select from ended_session where session_id = $2)
"""  # noqa: S608 -- made of a constant


async def verified_caller(
    connection: AsyncConnection, credentials: Credentials, *, is_locked: bool = False
) -> Caller | None:
    """Return the caller, or None if there are no such credentials or they are not accepted any more.

    `is_locked`: nobody else changes or revokes the credentials until the transaction ends.
    """
    parameters = {"sid": credentials.sid, "secret_sha256": credentials.secret_sha256}
    statement = _VERIFY_AND_LOCK if is_locked else _VERIFY
    row = (await connection.execute(statement, parameters)).one_or_none()
    return None if row is None else Caller(row.id, row.sid, row.is_account_token, Grant.of_row(row))


async def admitted_caller(database: Database, credentials: Credentials) -> Caller | None:
    """Return the caller as `verified_caller` does, without a connection of the pool: strangers must not occupy one."""
    for row in await database.fetch(_ADMISSION, credentials.sid, credentials.secret_sha256):
        account_id, sid, is_account_token, *grant = row
        return Caller(account_id, sid, is_account_token, Grant.of_columns(*grant))
    return None


async def accepted_credentials(database: Database, sid: str, session_id: str | None = None) -> Sequence[Credentials]:
    """Return the credentials with this SID that are accepted now: those with its secret, and with its former secret.

    There are none if `session_id` names a session of the console that has been ended.
    """
    rows = await database.fetch(_ACCEPTED, sid, session_id)
    return [Credentials(sid, each) for row in rows for each in row if each is not None]


async def account_of(connection: AsyncConnection, sid: str) -> UUID | None:
    found: UUID | None = await connection.scalar(select(account.c.id).where(account.c.sid == sid))
    return found


async def ensure_account(connection: AsyncConnection, name: str, token: Credentials) -> UUID:
    """Return the account with this SID, and create it if there is none. Its only auth token is `token` from now on."""
    await connection.execute(
        upsert(account)
        .values(id=new_id(), sid=token.sid, name=name, created_at=CLOCK.now())
        .on_conflict_do_nothing(index_elements=[account.c.sid])
    )
    account_id = await account_of(connection, token.sid)
    assert account_id is not None
    auth_token = {
        "sid": token.sid,
        "secret_sha256": token.secret_sha256,
        "scope": FULL,
        "name": "auth token",
        "created_at": CLOCK.now(),
    }
    await connection.execute(
        inserted_credential(account_id, auth_token).on_conflict_do_update(
            index_elements=[credential.c.sid],
            set_={"secret_sha256": token.secret_sha256, "former_sha256": None, "former_until": None},
        )
    )
    return account_id


def inserted_credential(account_id: UUID, values: Mapping[str, object]) -> Insert:
    """Return the statement that inserts a credential, which repeats whether its account is enabled."""
    literals = [literal(value, credential.c[name].type) for name, value in values.items()]
    row = select(account.c.id, account.c.is_enabled, *literals).where(account.c.id == account_id)
    return upsert(credential).from_select(["account_id", "is_enabled", *values], row)
