"""The functions that run statements on the node of their store.

Citus sends each call to the node of its store, and the calls of a transaction share a session there. The function has
the statement once for each shard, with the names of the shards and of the node's copies of reference tables. So
PostgreSQL plans it as it would on the tables, and keeps the plan.
"""

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import zip_longest

import asyncpg

from profile_lookup.database.citus.event_numbers import event_numbers_of
from profile_lookup.database.citus.placement import DISTRIBUTED, REFERENCE
from profile_lookup.database.citus.statements import IN_STORE, StoreStatement, routable
from profile_lookup.database.connections import PLANNING, REQUEST_LIMITS
from profile_lookup.database.tables.profiles import EVENT_NUMBERS

Shard = Mapping[str, int]
"""The numbers of the tables' shards that have the rows of the same stores. A reference table has one for all stores."""

_TABLE = re.compile(rf"\b({'|'.join((*DISTRIBUTED, *REFERENCE))})(_pkey)?\b")
_EVENT_NUMBERS = re.compile(rf"\b{EVENT_NUMBERS.name}\b")
_LOCKS = (files("profile_lookup.database") / "identity_locks.sql").read_text()
_SUSPECTS = (files("profile_lookup.database") / "suspects.sql").read_text()
_TRIGGER_FUNCTION = re.compile(r"create function (\w+)\(\)\nreturns trigger\n.*?\$\$(.*?)\$\$;", re.DOTALL)
_LOCK_FUNCTION = re.compile(rf"\b({'|'.join(set(re.findall('create function ([a-z_]+)', _LOCKS)))})\b")


async def create_functions(driver: asyncpg.Connection) -> None:
    """Create the function of each statement anew, and let Citus send its calls to the node of the store."""
    shards = await _shards(driver)
    for shard in shards:
        await driver.execute(on_shard(_LOCKS, shard).replace("create function", "create or replace function"))
    for name, body in _TRIGGER_FUNCTION.findall(_SUSPECTS):
        await driver.execute(_trigger_function(name, body, shards))
    for name, statement in IN_STORE.items():
        prepared = await driver.prepare(routable(statement.sql))
        types = [parameter.name for parameter in prepared.get_parameters()]
        columns = [f"{column.name} {column.type.name}" for column in prepared.get_attributes()]
        signature = f"{name}({', '.join(types)})"
        await driver.execute(f"drop function if exists {signature}")
        await driver.execute(_definition(signature, columns, statement, shards))
        await driver.execute(_DELEGATE, signature, f"${statement.store}")


async def _shards(driver: asyncpg.Connection) -> list[Shard]:
    numbers = {table: [row["shardid"] for row in await driver.fetch(_SHARDS, table)] for table in DISTRIBUTED}
    copies = {table: await driver.fetchval(_SHARDS, table) for table in REFERENCE}
    return [dict(zip(numbers, of_each, strict=True)) | copies for of_each in zip_longest(*numbers.values())]


def _trigger_function(name: str, body: str, shards: Sequence[Shard]) -> str:
    """Return the SQL that replaces a function which the triggers of the shards of `identifier` call."""
    # The type of a shard's rows is known only on the node that has the shard.
    body = body.strip().replace("changed identifier;", "changed record;")
    branches = [f"when 'identifier_{shard['identifier']}' then {on_shard(body, shard)};" for shard in shards]
    return f"""
        create or replace function {name}()
        returns trigger
        language plpgsql
        set citus.enable_manual_changes_to_shards = on
        as $function$
        begin
            case tg_table_name
            {" ".join(branches)}
            end case;
            return null;
        end
        $function$
    """


def _definition(signature: str, columns: Sequence[str], statement: StoreStatement, shards: Sequence[Shard]) -> str:
    """Return the SQL that creates a function, which returns what the statement returns."""
    return f"""
        create function {signature}
        returns {f"table ({', '.join(columns)})" if columns else "void"}
        language plpgsql volatile
        {" ".join(f"set {name} = '{value}'" for name, value in _SETTINGS.items())}
        as $function$
        #variable_conflict use_column
        begin
            case get_shard_id_for_distribution_column('{DISTRIBUTED[0]}', ${statement.store})
            {" ".join(_branch(shard, statement.sql, returns_rows=bool(columns)) for shard in shards)}
            end case;
        end
        $function$
    """


def _branch(shard: Shard, sql: str, *, returns_rows: bool) -> str:
    number = shard[DISTRIBUTED[0]]
    guard = ""
    if _WRITES.search(sql):
        guard = _LET_NO_MOVE_BEGIN.replace("SHARD", str(number)).replace("EVENT_NUMBERS", event_numbers_of(number))
    return f"when {number} then {guard} {'return query' if returns_rows else ''} {on_shard(sql, shard)};"


def on_shard(sql: str, shard: Shard) -> str:
    """Return the SQL with the names of this shard's tables, of its sequence, and of its functions of locks."""
    named = _TABLE.sub(lambda found: f"{found[1]}{found[2] or ''}_{shard[found[1]]}", routable(sql))
    named = _EVENT_NUMBERS.sub(event_numbers_of(shard[DISTRIBUTED[0]]), named)
    return _LOCK_FUNCTION.sub(lambda found: f"{found[1]}_{shard[DISTRIBUTED[0]]}", named)


# The settings of the service's session do not reach the nodes, but the waits for locks must end there, too.
_SETTINGS = {
    "citus.enable_manual_changes_to_shards": "on",
    "lock_timeout": f"{round(1000 * (REQUEST_LIMITS.lock or 0))}ms",
    **PLANNING,
}

_WRITES = re.compile(
    r"\b(insert into|update|delete from|lock_and_gather|pg_advisory_xact_lock\w*|nextval|pg_current_xact_id)\b"
)
"""What only the statements of writes have: they write, or lock what is written next."""

# Citus keeps writes off a shard that moves by this lock. It takes a share (5) for each write that it plans itself,
# but it does not see which shard a function writes to. Whoever has waited for a move is on the wrong node after it. On
# the right one, nobody writes before `distribute` has made the sequence of the shard's events there.
_LET_NO_MOVE_BEGIN = """
    perform lock_shard_metadata(5, array[SHARD]);
    if not exists (
        select from pg_dist_placement join pg_dist_local_group using (groupid) where shardid = SHARD
    ) or to_regclass('EVENT_NUMBERS') is null then
        raise exception 'shard SHARD has moved: run profile-lookup distribute' using errcode = 'lock_not_available';
    end if;
"""

_SHARDS = """
    select shardid from pg_dist_shard
    where logicalrelid = cast(cast($1 as text) as regclass)
    order by cast(shardminvalue as integer)
"""
_DELEGATE = """
    select create_distributed_function(
        cast(cast($1 as text) as regprocedure), cast($2 as text), colocate_with => 'profile', force_delegation => true
    )
"""
