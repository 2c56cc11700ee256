"""Single queries beside the pool are run in the order in which they arrive."""

import asyncio

from profile_lookup.database.pool import DEDICATED, Database


async def test_no_query_overtakes_one_that_waits(database: Database) -> None:
    ended: list[str] = []

    async def ask(name: str, queries: int) -> None:
        for _ in range(queries):
            await database.fetch("select pg_sleep(0.01)")
            ended.append(name)

    async with asyncio.TaskGroup() as group:
        for _ in range(DEDICATED):
            group.create_task(ask("asks again at once", 20))
        await asyncio.sleep(0)  # all connections are in use from now on
        group.create_task(ask("waits", 1))
    # It was next; but queries that began after it, on the other connections, may end before it.
    assert ended.index("waits") <= 2 * DEDICATED
