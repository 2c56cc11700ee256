"""Creates stores with given settings, without HTTP."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials, digest, new_account_sid, new_secret
from profile_lookup.accounts.last_use import LastUse
from profile_lookup.accounts.queries import ensure_account
from profile_lookup.accounts.rate_limits import RateLimits
from profile_lookup.bucket_tables import BucketTables
from profile_lookup.database.documents import settings_document, traits_document
from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.database.tables import profile, store, trait_group
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import CONTACT
from profile_lookup.identity.values.normalization_version import CURRENT
from profile_lookup.settings import load_settings
from profile_lookup.stores.admission import Admissions, rules_in_force
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.stores.rules_lock import lock_rules
from profile_lookup.web import ids


def make_admissions(database: Database) -> Admissions:
    """Return the admissions of a process without rate limits."""
    return Admissions(database, RateLimits(load_settings(), BucketTables().callers), LastUse(database))


async def make_store(database: Database, settings: IdentityResolutionSettings) -> StoreRules:
    async with database.transaction() as connection:
        token = Credentials(new_account_sid(), digest(new_secret()))
        account_id, store_id, now = await ensure_account(connection, "test", token), new_id(), datetime.now(UTC)
        await connection.execute(
            insert(store).values(
                account_id=account_id, id=store_id, display_name="test", status="ACTIVE", version=1,
                settings=settings_document(settings), settings_version=1, revision=1,
                normalization=CURRENT.to_document(),
                kept_values=0, created_at=now,
            )
        )  # fmt: skip
        await connection.execute(
            insert(trait_group).values(
                store_id=store_id, name=CONTACT.name, traits=traits_document(CONTACT), version=1, created_at=now
            )
        )
        return await rules_in_force(connection, account_id, store_id)


async def lock_rules_of(connection: AsyncConnection, store_id: str) -> None:
    """Lock the rules of the store with this wire ID until the transaction ends, as a change of them does."""
    decoded = _decoded(store_id)
    account_id = (await connection.execute(select(store.c.account_id).where(store.c.id == decoded))).scalar_one()
    await lock_rules(connection, account_id, decoded)


async def lock_profiles_of(connection: AsyncConnection, store_id: str) -> None:
    """Lock the profiles of the store with this wire ID until the transaction ends."""
    await connection.execute(select(profile.c.id).where(profile.c.store_id == _decoded(store_id)).with_for_update())


def _decoded(store_id: str) -> UUID:
    decoded = ids.decoded(store_id)
    assert decoded is not None
    return decoded
