"""The plans that PostgreSQL makes for statements, whatever their parameters are."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


async def plans_of(connection: AsyncConnection, words: str) -> list[dict[str, Any]]:
    """Return the generic plans of the statements that contain these words and that this connection has prepared."""
    query = text("select name, parameter_types from pg_prepared_statements where statement like :words")
    prepared = (await connection.execute(query, {"words": f"%{words}%"})).all()
    plans = []
    for name, types in prepared:
        arguments = ", ".join(["null"] * len(types))
        explained = await connection.exec_driver_sql(f'explain (format json) execute "{name}" ({arguments})')
        plans.append(explained.scalar_one()[0]["Plan"])
    return plans


def nodes_of(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes_of(child))]
