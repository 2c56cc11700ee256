"""The revisions of the schema that a database has, and which code it still serves.

Code needs the newest revision that it knows. A migration that *expands* leaves what earlier code needs; one that
*contracts* takes something away, and says from which revision on code is still served. The table `schema_revision` has
a row for each revision that was applied. So code finds out whether the schema has all that it needs, also if that
schema is newer. Whatever runs the migrations creates this table, as it creates Alembic's own. See
docs/decisions/0064-upgrades-without-a-gap.md.
"""

from collections.abc import Collection, Iterable, Iterator
from enum import Enum, auto
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

if TYPE_CHECKING:
    from types import ModuleType

    from alembic.script import ScriptDirectory

TABLE = "schema_revision"
IS_SERVED = f"select is_served from {TABLE} where revision = $1"  # noqa: S608 -- a constant

EXPAND, CONTRACT = "expand", "contract"


class SchemaState(Enum):
    """Whether a database's schema serves the code that connects to it."""

    SERVES = auto()
    LACKS_MIGRATIONS = auto()
    IS_TOO_NEW = auto()

    @classmethod
    def of(cls, is_served: bool | None) -> "SchemaState":
        """Return the state, given whether the code's newest revision is served; None if it was not applied."""
        return {None: cls.LACKS_MIGRATIONS, True: cls.SERVES, False: cls.IS_TOO_NEW}[is_served]


def served(newest_first: Iterable["ModuleType"]) -> Iterator[tuple[str, bool]]:
    """Yield each revision with whether code is served that needs nothing after it."""
    is_served, oldest_served = True, set()
    for migration in newest_first:
        yield migration.revision, is_served
        if migration.phase == CONTRACT:
            oldest_served.add(migration.serves_from)
        is_served = is_served and migration.revision not in oldest_served


def record_revisions(connection: Connection, scripts: "ScriptDirectory", heads: Collection[str]) -> None:
    """Write which revisions were applied, in the transaction that applied the last one."""
    applied = (script.module for script in scripts.iterate_revisions(tuple(heads) or "base", "base"))
    connection.execute(_CREATE)
    connection.execute(_CLEAR)
    for revision, is_served in served(applied):
        connection.execute(_INSERT, {"revision": revision, "is_served": is_served})


_CREATE = text(f"create table if not exists {TABLE} (revision text primary key, is_served boolean not null)")
_CLEAR = text(f"delete from {TABLE}")  # noqa: S608 -- a constant
_INSERT = text(f"insert into {TABLE} (revision, is_served) values (:revision, :is_served)")  # noqa: S608 -- a constant
