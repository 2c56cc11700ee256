"""The account of the operating system that PostgreSQL runs as, which is not root. `guard.py` uses it.

If root starts the server, the account is the owner of the data. New data belongs to the user `postgres`, or, if there
is none, to an ID that no user has, but never to `nobody`, because other programs run as that user, too.
"""

import os
import pwd
import subprocess
from pathlib import Path
from typing import Any

_NOBODY = "nobody"
_HIGHEST_ID = 65_533  # 65,534 is `nobody`
_LOWEST_ID = 60_001


class NoAccount(Exception):
    """There is no user who can create the data."""


def account_of(data: Path) -> dict[str, Any]:
    """Return the account that the server runs as, as arguments of Popen; none if it runs as this process's user.

    If the data belongs to `nobody`, because an earlier version made it, change its owner. Raises `NoAccount`.
    """
    if os.geteuid() != 0:
        return {}
    users = {user.pw_name: user for user in reversed(pwd.getpwall())}
    owner = data.stat() if data.exists() else None
    is_nobodys = owner is not None and _NOBODY in users and owner.st_uid == users[_NOBODY].pw_uid
    if owner is not None and owner.st_uid != 0 and not is_nobodys:
        return _account(owner.st_uid, owner.st_gid)
    postgres = users.get("postgres")
    account = _account(*[_unused_id()] * 2) if postgres is None else _account(postgres.pw_uid, postgres.pw_gid)
    if is_nobodys:
        give(data, account)
    return account


def account_with_user(account: dict[str, Any]) -> dict[str, Any]:
    """Return an account that can create the data, as `initdb` refuses an ID that no user has.

    It is `account` if a user has that ID, else the account of any system user. Raises `NoAccount`.
    """
    if not account or _is_used(account["user"]):
        return account
    for user in pwd.getpwall():
        if user.pw_uid != 0 and user.pw_name != _NOBODY:
            return _account(user.pw_uid, user.pw_gid)
    raise NoAccount


def give(directory: Path, account: dict[str, Any]) -> None:
    """Make the account the owner of a directory and of everything in it."""
    if not account:
        return
    for path in (directory, *directory.rglob("*")):
        os.chown(path, account["user"], account["group"], follow_symlinks=False)


def is_allowed(test: str, path: Path, account: dict[str, Any]) -> bool:
    """Return whether a condition of test(1) about the path is true for the account."""
    command = ["/bin/sh", "-c", 'test "$0" "$1"', test, str(path)]
    return subprocess.call(command, cwd="/", **account) == 0  # noqa: S603 - test(1)


def _account(user: int, group: int) -> dict[str, Any]:
    return {"user": user, "group": group, "extra_groups": []}


def _unused_id() -> int:
    return next(each for each in range(_HIGHEST_ID, _LOWEST_ID, -1) if not _is_used(each))


def _is_used(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True
