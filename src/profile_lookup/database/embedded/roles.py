"""The roles of the embedded PostgreSQL: the service is no superuser, and nobody is admitted without a password.

    data/
    ├── pg_hba.conf      admits who has a password, and nobody else
    └── passwords.json   the passwords of both roles, with mode 0600

The passwords are of 256 random bits, so one round of hashing protects them as well as many, and connecting is fast.
"""

import asyncio
import json
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import asyncpg

from profile_lookup.files import write_private

SERVICE = "profile_lookup"
SUPERUSER = "postgres"

_PASSWORDS = "passwords.json"
_ADMISSION = "# Written by profile-lookup at each start.\nlocal all all scram-sha-256\n"
_DATABASE = "profile_lookup"
_TIMEOUT = 30.0  # seconds


def url_as(role: str, data: Path, socket_directory: str) -> str:
    """Return the URL by which a role connects; without its password, if the server has not been started yet."""
    path = data / _PASSWORDS
    password = f":{json.loads(path.read_text())[role]}" if path.exists() else ""
    return f"postgresql://{role}{password}@/{_DATABASE}?host={quote(socket_directory)}&port=5432"


def ensure_roles(data: Path, socket_directory: str) -> None:
    """Require a password of everybody who connects to this running server, unless it does so already.

    A new server admits anybody, and so does one that an earlier version made; the tables of that get another owner.
    """
    admission = data / "pg_hba.conf"
    if admission.read_text() != _ADMISSION:
        with ThreadPoolExecutor(1) as thread:  # the caller may run an event loop
            thread.submit(asyncio.run, _hand_over(data, socket_directory, admission)).result()


async def _hand_over(data: Path, socket_directory: str, admission: Path) -> None:
    passwords = {role: secrets.token_hex(32) for role in (SUPERUSER, SERVICE)}
    connection = await asyncpg.connect(
        user=SUPERUSER, database=_DATABASE, host=socket_directory, port=5432, command_timeout=_TIMEOUT
    )
    try:
        async with connection.transaction():
            await connection.execute(_ROLES.format(**passwords))
        write_private(data / _PASSWORDS, json.dumps(passwords))
        _replace(admission, _ADMISSION)
        await connection.execute("select pg_reload_conf()")
    finally:
        await connection.close(timeout=_TIMEOUT)


def _replace(path: Path, text: str) -> None:
    """Write a file that belongs to the same user as before, who is not root."""
    owner = path.stat()
    new = path.with_name(f"{path.name}.next")
    write_private(new, text)
    os.chown(new, owner.st_uid, owner.st_gid)
    new.rename(path)


# The bootstrap superuser cannot be changed into another role, so each object gets a new owner. Those of an extension
# stay with it.
_ROLES = """
    set local password_encryption = 'scram-sha-256';
    set local scram_iterations = 1;
    do $$ begin
        create role profile_lookup;
    exception when duplicate_object then null;
    end $$;
    alter role profile_lookup with login nosuperuser nocreaterole nocreatedb password '{profile_lookup}';
    alter role postgres with password '{postgres}';
    alter database profile_lookup owner to profile_lookup;
    do $$ declare statement text; begin
        for statement in
            select format('alter table %s owner to profile_lookup', oid::regclass)
            from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
            union all
            select format('alter routine %s owner to profile_lookup', oid::regprocedure)
            from pg_proc
            where pronamespace = 'public'::regnamespace
                and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')
        loop
            execute statement;
        end loop;
    end $$;
"""
