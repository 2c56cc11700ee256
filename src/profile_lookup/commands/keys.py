"""`profile-lookup keys`."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials, digest, new_key_sid, new_secret
from profile_lookup.accounts.grants import ALL_SCOPES, FULL, MAX_NAME, UNLIMITED, Grant, expiry_of
from profile_lookup.accounts.keys import add_key, keys_of, remove_key, unknown_stores
from profile_lookup.commands.accounts import AccountOption, chosen_account
from profile_lookup.commands.database import configure, run_in_transaction
from profile_lookup.commands.errors import CommandError
from profile_lookup.identity.values.normalization import is_storable
from profile_lookup.token_buckets import HIGHEST_RATE, LOWEST_RATE, RateLimit
from profile_lookup.web import ids

key_commands = typer.Typer(help="API keys of an account.", no_args_is_help=True)


class _ScopeOption(StrEnum):
    LOOKUP = "lookup"
    READ = "read"
    WRITE = "write"
    MANAGE = "manage"
    FULL = FULL


@key_commands.command("create")
def create_key(
    account: AccountOption = None,
    scope: Annotated[
        list[_ScopeOption] | None,
        typer.Option(
            help="lookup, read (the data), write (the data), manage (stores, settings and keys), or full for all four. "
            "It may be repeated.",
            show_default=FULL,
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="A name for people; it need not be unique.")] = "",
    store: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="A store that the key is for; it may be repeated.", show_default="all stores"),
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="When the key expires, such as 2027-01-15T10:15:30Z.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=LOWEST_RATE, max=HIGHEST_RATE, metavar="NUMBER", help="The most requests per second on average."
        ),
    ] = None,
    burst: Annotated[
        int | None,
        typer.Option(
            min=1, max=HIGHEST_RATE, metavar="NUMBER", help="The most requests at once.", show_default="as --rate"
        ),
    ] = None,
) -> None:
    """Make an API key, and show its SID and secret, this once."""
    if len(name) > MAX_NAME or not is_storable(name):
        raise CommandError(f"--name: expected text of at most {MAX_NAME} characters")
    chosen = set(scope or [_ScopeOption.FULL])
    grant = Grant(
        scopes=ALL_SCOPES if _ScopeOption.FULL in chosen else frozenset(map(str, chosen)),
        store_ids=frozenset(map(_store_uuid, store)) if store else None,
        rate_limit=_rate_limit(rate, burst),
        expires_at=None if expires is None else _time(expires),
    )
    sid, secret = new_key_sid(), new_secret()

    async def create(connection: AsyncConnection) -> None:
        account_id = await chosen_account(connection, account)
        if await unknown_stores(connection, account_id, list(grant.store_ids or ())):
            raise CommandError("--store: expected stores of this account")
        await add_key(connection, account_id, Credentials(sid, digest(secret)), name=name, grant=grant)

    run_in_transaction(configure(), create)
    typer.echo(f"API key: {sid}\nSecret:  {secret}  (shown this once)")


@key_commands.command("list")
def list_keys(account: AccountOption = None) -> None:
    """List an account's API keys: SID, scopes, time of creation, name, and what limits them."""

    async def list_lines(connection: AsyncConnection) -> list[str]:
        account_id = await chosen_account(connection, account)
        query = keys_of(account_id, UNLIMITED).order_by("created_at", "sid")
        found = (await connection.execute(query)).all()
        return [
            f"{key.sid}  {key.scope:6}  {_shown(key.created_at)}  {key.name}{_limits(Grant.of_row(key))}"
            for key in found
        ]

    for line in run_in_transaction(configure(), list_lines):
        typer.echo(line)


@key_commands.command("revoke")
def revoke_key(sid: Annotated[str, typer.Argument(metavar="SID", help="The API key.")]) -> None:
    """Refuse an API key from now on."""

    async def revoke(connection: AsyncConnection) -> None:
        if not await remove_key(connection, sid):
            raise CommandError(f"There is no API key {sid}")

    run_in_transaction(configure(), revoke)
    typer.echo(f"{sid} is revoked.")


def _limits(grant: Grant) -> str:
    limits = []
    if grant.store_ids is not None:
        limits.append(f"only {', '.join(sorted(map(ids.store_id, grant.store_ids)))}")
    if grant.rate_limit is not None:
        limits.append(f"{grant.rate_limit.per_second:g} a second, {grant.rate_limit.burst} at once")
    if grant.expires_at is not None:
        limits.append(f"until {_shown(grant.expires_at)}")
    return f"  ({'; '.join(limits)})" if limits else ""


def _shown(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _store_uuid(store_id: str) -> UUID:
    uuid = ids.store_uuid(store_id)
    if uuid is None:
        raise CommandError("--store: expected the ID of a store")
    return uuid


def _rate_limit(rate: float | None, burst: int | None) -> RateLimit | None:
    if rate is None:
        if burst is not None:
            raise CommandError("--burst: expected with --rate")
        return None
    return RateLimit.of(rate, burst)


def _time(text: str) -> datetime:
    time = expiry_of(text)
    if time is None:
        raise CommandError("--expires: expected a time with its zone, from 1970 on, such as 2027-01-15T10:15:30Z")
    return time
