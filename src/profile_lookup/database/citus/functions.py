"""The functions that run statements on the node of their store.

Such a function runs its statement on the shards of the store, and on the copies of reference tables that the node has,
as plain PostgreSQL would on the tables. Citus sends each call to the node of its store, and the calls of a transaction
share a session there.
"""

import re
from collections.abc import Sequence

import asyncpg

from profile_lookup.database.citus.placement import DISTRIBUTED, REFERENCE
from profile_lookup.database.citus.statements import IN_STORE, StoreStatement, routable

_TABLE = re.compile(rf"\b({'|'.join((*DISTRIBUTED, *REFERENCE))})(_pkey)?\b")


async def create_functions(driver: asyncpg.Connection) -> None:
    """Create the function of each statement anew, and let Citus send its calls to the node of the store."""
    for name, statement in IN_STORE.items():
        prepared = await driver.prepare(routable(statement.sql))
        types = [parameter.name for parameter in prepared.get_parameters()]
        columns = [f"{column.name} {column.type.name}" for column in prepared.get_attributes()]
        signature = f"{name}({', '.join(types)})"
        await driver.execute(f"drop function if exists {signature}")
        await driver.execute(_definition(signature, columns, statement, len(types)))
        await driver.execute(_DELEGATE, signature, f"${statement.store}")


def _definition(signature: str, columns: Sequence[str], statement: StoreStatement, parameters: int) -> str:
    """Return the SQL that creates a function, which returns what the statement returns."""
    arguments = ", ".join(f"${number}" for number in range(1, parameters + 1))
    return f"""
        create function {signature}
        returns {f"table ({', '.join(columns)})" if columns else "void"}
        language plpgsql volatile
        set citus.enable_manual_changes_to_shards = on
        as $function$
        begin
            {"return query " if columns else ""}execute {_on_shards(statement)} using {arguments};
        end
        $function$
    """


def _on_shards(statement: StoreStatement) -> str:
    """Return the SQL of the text that the statement has if it names the shards of the store instead of tables."""
    sql = routable(statement.sql)
    tables = sorted({found[1] for found in _TABLE.finditer(sql)})
    template = _TABLE.sub(
        lambda found: f"{found[1]}{found[2] or ''}_%{1 + tables.index(found[1])}$s", sql.replace("%", "%%")
    )
    shards = [f"get_shard_id_for_distribution_column('{table}', {_key(table, statement)})" for table in tables]
    return f"format({', '.join([f'$statement${template}$statement$', *shards])})"


def _key(table: str, statement: StoreStatement) -> str:
    """Return the SQL of the value that leads to the shard of a table. Reference tables have one shard for all."""
    return "null" if table in REFERENCE else f"${statement.store}"


_DELEGATE = """
    select create_distributed_function(
        cast(cast($1 as text) as regprocedure), cast($2 as text), colocate_with => 'profile', force_delegation => true
    )
"""
