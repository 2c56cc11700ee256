"""Accounts and keys by commands, and the credentials that a demo makes or leaves alone."""

import json
import re
import subprocess
from pathlib import Path

import httpx
import pytest

from profile_lookup.commands.demo import PUBLISHED_TOKEN
from tests.conftest import PATIENCE
from tests.program.conftest import ACCOUNT, TOKEN, base_url_in, command, environment, serving, shown_values


def test_the_demo_of_an_operators_account_makes_no_key_and_shows_no_secret(
    served_settings: dict[str, object], tmp_path: Path
) -> None:
    settings = served_settings | {"DATA_DIR": tmp_path, "PUBLIC_URL": "https://lookup.example.com"}
    first = command("demo", "--json", **settings)
    assert first.returncode == 0, first.stderr
    shown = json.loads(first.stdout)
    assert shown.keys() == {"baseUrl", "accountSid", "storeId"}
    assert (shown["baseUrl"], shown["accountSid"]) == ("https://lookup.example.com", ACCOUNT)
    assert command("demo", "--json", **settings).stdout == first.stdout
    printed = command("demo", **settings).stdout
    assert shown["storeId"] in printed
    assert TOKEN not in printed
    assert "SK" not in printed
    assert command("keys", "list", **settings).stdout == ""
    assert not (tmp_path / "demo.json").exists()


def test_the_curl_of_an_operators_demo_takes_the_credentials_from_the_environment(
    served_settings: dict[str, object], tmp_path: Path
) -> None:
    settings = served_settings | {"DATA_DIR": tmp_path}
    with serving("--demo", **settings) as (_, printed):
        (curl,) = (line for line in printed if line.startswith("curl"))
        assert TOKEN not in "".join(printed)
        answer = subprocess.run(
            ["sh", "-c", curl],
            env=environment(**settings),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
    assert json.loads(answer.stdout)["normalizedValue"] == "+13175556789"


@pytest.mark.slow
def test_known_credentials_are_refused_beside_an_operators_own(database_url: str, tmp_path: Path) -> None:
    """Neither a demo's, which its log shows, nor the published ones stay valid; an earlier version kept a key, too."""
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path}
    published = {"BOOTSTRAP_ACCOUNT_SID": f"{ACCOUNT}0", "BOOTSTRAP_AUTH_TOKEN": PUBLISHED_TOKEN}
    own = {"BOOTSTRAP_ACCOUNT_SID": ACCOUNT, "BOOTSTRAP_AUTH_TOKEN": TOKEN}
    demo = json.loads(command("demo", "--json", **settings).stdout)
    with serving(DATABASE_URL=database_url, DATA_DIR=tmp_path / "other", **published) as (_, printed):
        url = base_url_in(printed)
        assert _status(url, f"{ACCOUNT}0", PUBLISHED_TOKEN) == 200
        assert _status(url, demo["apiKey"], demo["apiSecret"]) == 200
    with serving(**settings, **own) as (_, printed):
        url = base_url_in(printed)
        assert _status(url, ACCOUNT, TOKEN) == 200
        assert _status(url, f"{ACCOUNT}0", PUBLISHED_TOKEN) == 401
        assert _status(url, demo["accountSid"], demo["authToken"]) == 401
        assert _status(url, demo["apiKey"], demo["apiSecret"]) == 401
        rotated = command("accounts", "rotate-token", demo["accountSid"], **settings)
        assert _status(url, demo["accountSid"], rotated.stdout.split()[2]) == 200


def _status(base_url: str, sid: str, secret: str) -> int:
    return httpx.get(f"{base_url}/v1/ControlPlane/Stores", auth=(sid, secret), timeout=PATIENCE).status_code


def test_compose_names_no_credentials_by_default() -> None:
    composed = (Path(__file__).parents[2] / "docker-compose.yml").read_text()
    settings = re.findall(r"\$\{(PROFILE_LOOKUP_BOOTSTRAP_\w+):-([^}]*)\}", composed)
    assert sorted(settings) == [
        ("PROFILE_LOOKUP_BOOTSTRAP_ACCOUNT_SID", ""),
        ("PROFILE_LOOKUP_BOOTSTRAP_AUTH_TOKEN", ""),
    ]


@pytest.mark.slow
def test_accounts_are_listed_disabled_enabled_rotated_and_deleted(database_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path}

    def run(*arguments: str) -> str:
        done = command(*arguments, **settings)
        assert done.returncode == 0, done.stderr
        return done.stdout

    sid, token = shown_values(run("accounts", "create", "acme"))
    run("stores", "create", "customers")
    key, secret = shown_values(run("keys", "create"))
    with serving(**settings) as (_, printed):
        url = base_url_in(printed)
        callers = ((sid, token), (key, secret))
        for action, status in (("disable", 401), ("enable", 200)):
            run("accounts", action, sid)
            assert [_status(url, *each) for each in callers] == [status] * 2
            assert f"{sid}  {action}d" in run("accounts", "list")
        renewed = run("accounts", "rotate-token", sid, "--overlap", "3600").split()[2]
        assert [_status(url, sid, each) for each in (token, renewed)] == [200, 200]
        renewed = run("accounts", "rotate-token", sid).split()[2]
        assert [_status(url, sid, each) for each in (token, renewed)] == [401, 200]
        assert command("accounts", "delete", sid, **settings).returncode == 1  # nobody confirms it
        run("accounts", "delete", sid, "--yes")
        assert [_status(url, *each) for each in ((sid, renewed), (key, secret))] == [401, 401]
    assert run("accounts", "list") == ""
    refused = command("accounts", "disable", sid, **settings)
    assert refused.stderr == f"profile-lookup: There is no account {sid}\n"


@pytest.mark.slow
def test_a_key_is_made_with_scopes_stores_a_limit_and_an_end(database_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path}
    assert command("accounts", "create", "acme", **settings).returncode == 0
    store_id = command("stores", "create", "customers", **settings).stdout.strip()
    limits = ("--store", store_id, "--expires", "2100-01-15T10:15:30Z", "--rate", "50", "--burst", "100")
    made = command("keys", "create", "--scope", "read", "--scope", "lookup", *limits, **settings)
    assert made.returncode == 0, made.stderr
    (line,) = command("keys", "list", **settings).stdout.splitlines()
    assert f"{shown_values(made.stdout)[0]}  lookup read  " in line
    assert line.endswith(f"(only {store_id}; 50 a second, 100 at once; until 2100-01-15T10:15:30Z)")
    for option, value in (
        ("--store", "nonsense"),
        ("--store", store_id[:-1] + "1"),
        ("--expires", "soon"),
        ("--expires", "9999-12-31T23:59:59-14:00"),
        ("--burst", "1"),
        ("--name", "n" * 129),
    ):
        refused = command("keys", "create", option, value, **settings)
        assert refused.returncode == 1
        assert refused.stderr.startswith(f"profile-lookup: {option}: ")
    for arguments in (("--rate", "inf"), ("--rate", "nan"), ("--rate", "5", "--burst", "1000001")):
        assert "Invalid value" in command("keys", "create", *arguments, **settings).stderr


def test_signing_keys_are_rotated_by_a_command(database_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path}
    assert "two minutes" in command("signing-keys", "rotate", **settings).stdout
    assert "deleted" in command("signing-keys", "rotate", "--revoke-former", **settings).stdout
