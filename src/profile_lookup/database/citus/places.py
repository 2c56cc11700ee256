"""Finds out where the shards of stores are, so that a statement on a store can be sent to the node that has its rows.

A shard may move to another node at any time. So each statement upon a shard also finds out, in its own snapshot,
whether the node still has the shard: Citus changes that in the transaction that ends the move, and no row of the shard
changes until then.
"""

import asyncio
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

from profile_lookup.database.citus.functions import Shard, on_shard
from profile_lookup.database.citus.placement import DISTRIBUTED
from profile_lookup.database.connections import CONNECT_TIMEOUT
from profile_lookup.database.single_queries.dedicated_connection import DedicatedConnection
from profile_lookup.errors import Unavailable

MAX_STORES = 100_000
"""The most stores of which a process caches the place. They take some 15 MB."""

_PLACE = f"""
    select
        dist_node.nodename,
        dist_node.nodeport,
        array_agg(cast(cast(other.logicalrelid as regclass) as text)) as tables,
        array_agg(other.shardid) as numbers
    from pg_dist_shard as own
    join pg_dist_placement as dist_placement on dist_placement.shardid = own.shardid
    join pg_dist_node as dist_node on dist_node.groupid = dist_placement.groupid and dist_node.noderole = 'primary'
    join pg_dist_shard as other on other.shardminvalue = own.shardminvalue or other.shardminvalue is null
    where own.shardid = get_shard_id_for_distribution_column('{DISTRIBUTED[0]}', $1::uuid)
    group by dist_node.nodename, dist_node.nodeport
"""  # noqa: S608 -- made of constants
_IS_HERE = """
    exists (
        select from pg_dist_placement
        join pg_dist_local_group on pg_dist_local_group.groupid = pg_dist_placement.groupid
        where pg_dist_placement.shardid = {}
    )
"""


@dataclass(frozen=True, eq=False, slots=True)
class Place:
    """The shard of a store, and the URL of the node that has it. Stores of the same shard share the object."""

    node_url: str
    shard: Shard
    _statements: dict[str, str] = field(default_factory=dict)

    def statement(self, sql: str) -> str:
        """Return the statement upon this shard, for the node itself. It returns no row once the shard has moved."""
        statement = self._statements.get(sql)
        if statement is None:
            is_here = _IS_HERE.format(self.shard[DISTRIBUTED[0]])
            # Nothing sorts the rows again, so they stay in their order.
            statement = f"select found.* from ({on_shard(sql, self.shard)}) as found where {is_here}"  # noqa: S608 -- made of constants
            self._statements[sql] = statement
        return statement


class Places:
    """Finds the places of stores, and caches them. Whoever finds that a place is wrong by now must call `forget`."""

    def __init__(self, database_url: str, max_stores: int = MAX_STORES) -> None:
        self._database_url = database_url
        self._connection = DedicatedConnection(database_url)
        self._turn = asyncio.Lock()
        self._max_stores = max_stores
        self._of_stores: dict[int, Place] = {}
        """The cached places, by the number of the store's ID."""
        self._of_shards: dict[int, Place] = {}
        """The last known place of each shard, by the shard's number."""
        self._under_way: dict[int, asyncio.Task[None]] = {}
        """The tasks that find places, by the number of the store's ID."""

    def known(self, store_id: UUID) -> Place | None:
        """Return the place of the store. If it is not known, it is looked for, and known soon afterwards."""
        place = self._of_stores.get(store_id.int)
        if place is None and store_id.int not in self._under_way:
            task = asyncio.get_running_loop().create_task(self._find(store_id))
            self._under_way[store_id.int] = task
            task.add_done_callback(lambda _: self._under_way.pop(store_id.int))
        return place

    def forget(self, store_id: UUID, place: Place) -> None:
        """Forget that this is the store's place."""
        if self._of_stores.get(store_id.int) is place:
            del self._of_stores[store_id.int]

    def forget_node(self, node_url: str) -> None:
        """Forget the places on a node, which may have another address by now."""
        self._of_stores = {store: place for store, place in self._of_stores.items() if place.node_url != node_url}

    async def close(self) -> None:
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        await self._connection.close()

    async def _find(self, store_id: UUID) -> None:
        """Find the place of the store, unless the database is unavailable: then the next lookup tries it again."""
        try:
            async with self._turn:
                rows = await self._connection.fetch(_PLACE, (store_id,), CONNECT_TIMEOUT)
        except Unavailable:
            return
        for host, port, tables, numbers in rows:
            shard = dict(zip(tables, numbers, strict=True))
            place = Place(url_of_node(self._database_url, host, port), shard)
            known = self._of_shards.get(shard[DISTRIBUTED[0]])
            if known is None or (known.node_url, known.shard) != (place.node_url, shard):
                self._of_shards[shard[DISTRIBUTED[0]]] = known = place
            self._of_stores[store_id.int] = known
            if len(self._of_stores) > self._max_stores:
                del self._of_stores[next(iter(self._of_stores))]  # it was found before all others


def url_of_node(database_url: str, host: str, port: int) -> str:
    """Return the database's URL with another host and port; user, password and all other options stay."""
    parts = urlsplit(database_url)
    credentials, at, _ = parts.netloc.rpartition("@")
    named = f"[{host}]" if ":" in host else host
    options = [(name, value) for name, value in parse_qsl(parts.query) if name not in {"host", "port"}]
    return parts._replace(netloc=f"{credentials}{at}{named}:{port}", query=urlencode(options)).geturl()
