"""Who may connect to the embedded PostgreSQL, and which user of the system it runs as."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from profile_lookup.database.embedded.roles import SERVICE, SUPERUSER
from tests.database.test_embedded import (
    HELPER,
    PATIENCE,
    directory,
    embedded,
    home,
    initialized,
    insert_row,
    new_directory,
    postgres_of,
    run,
    stored_rows,
)

__all__ = ["directory", "home", "initialized", "new_directory"]

ONLY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
TRUST = "local all all trust\n"


def test_the_role_of_the_service_is_no_superuser_and_owns_the_database(directory: Path) -> None:
    with embedded(directory) as server:
        assert run(server.url, "select current_user") == [SERVICE]
        query = "select rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls from pg_roles"
        assert run(server.url, f"{query} where rolname = current_user") == ["False"]
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            run(server.url, "copy (select 1) to program 'true'")
        assert run(server.url_as(SUPERUSER), "select rolsuper from pg_roles where rolname = current_user") == ["True"]


@pytest.mark.parametrize("role", [SERVICE, SUPERUSER])
@pytest.mark.parametrize("password", ["", ":wrong"])
def test_nobody_connects_without_the_right_password(directory: Path, role: str, password: str) -> None:
    with embedded(directory) as server:
        others = f"postgresql://{role}{password}@{server.url.rpartition('@')[2]}"
        with pytest.raises(asyncpg.InvalidPasswordError):
            run(others, "select 1")


def test_the_passwords_are_for_their_owner_alone_and_stay_the_same(directory: Path) -> None:
    with embedded(directory) as server:
        first = server.url
    assert (directory / "data" / "passwords.json").stat().st_mode & 0o777 == 0o600
    with embedded(directory) as server:
        assert server.url == first


def test_data_of_an_earlier_version_is_handed_over_to_the_role_of_the_service(directory: Path) -> None:
    with embedded(directory) as server:
        run(
            server.url_as(SUPERUSER),
            "create table sample (value text)",
            "create function twice(number int) returns int language sql as 'select 2 * number'",
            "create extension pg_trgm",
            "alter database profile_lookup owner to postgres",
        )
    (directory / "data" / "pg_hba.conf").write_text(TRUST)
    (directory / "data" / "passwords.json").unlink()
    with embedded(directory) as server:
        insert_row(server.url, "kept")
        run(server.url, "alter table sample add column other text", "drop function twice(int)")
        assert stored_rows(server.url) == ["kept"]


def test_a_start_that_was_interrupted_before_it_closed_the_door_is_completed(directory: Path) -> None:
    (directory / "data" / "pg_hba.conf").write_text(TRUST)
    with embedded(directory) as server, pytest.raises(asyncpg.InvalidPasswordError):
        run(f"postgresql://postgres@{server.url.rpartition('@')[2]}", "select 1")


@ONLY_ROOT
def test_data_that_belongs_to_nobody_gets_another_owner(directory: Path) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    for path in (directory / "data", *(directory / "data").rglob("*")):
        os.chown(path, nobody, -1, follow_symlinks=False)
    with embedded(directory) as server:
        insert_row(server.url, "kept")
        owner = Path(f"/proc/{postgres_of(directory)}").stat().st_uid
        assert owner not in (0, nobody)
    assert {path.lstat().st_uid for path in (directory / "data").rglob("*")} <= {owner, 0}


@ONLY_ROOT
def test_without_a_user_for_it_the_server_runs_as_an_id_that_no_user_has(home: Path) -> None:
    users = home / "passwd"
    users.write_text("root:x:0:0::/:/bin/sh\nbin:x:2:2::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n")
    script = f'mount --bind {users} /etc/passwd && exec "$0" -c "$1" "$2"'
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script, sys.executable, HELPER, str(home / "pg")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().strip()
        if "unshare" in (refusal := "" if url else process.stderr.read()):
            pytest.skip("this container has no namespaces of its own")
        assert url.startswith("postgresql://"), refusal
        assert Path(f"/proc/{postgres_of(home / 'pg')}").stat().st_uid == 65_533
        process.communicate("", timeout=PATIENCE)
