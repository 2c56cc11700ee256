"""The connection of the driver within one of SQLAlchemy."""

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.connections import ServiceConnection


async def is_distributed(connection: AsyncConnection) -> bool:
    """Return whether the database is distributed over nodes of Citus."""
    return (await driver_of(connection)).is_distributed


async def driver_of(connection: AsyncConnection) -> ServiceConnection:
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, ServiceConnection)
    return driver
