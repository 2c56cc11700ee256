"""The secret with which this service signs what it must recognize later: one for all replicas, made by a migration."""

from sqlalchemy import select

from profile_lookup.database.pool import Database
from profile_lookup.database.tables import signing_key


class SigningKey:
    """Reads the secret when it is first needed, and then keeps it: it never changes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._secret: bytes | None = None

    async def secret(self) -> bytes:
        """Raises `Unavailable`."""
        if self._secret is None:
            async with self._database.statements() as connection:
                self._secret = (await connection.execute(select(signing_key.c.secret))).scalar_one()
        return self._secret
