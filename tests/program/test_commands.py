"""The commands report errors in one line, with an exit code other than 0 and without a traceback."""

import json
import socket
from pathlib import Path

import httpx
import psutil
import pytest
from typer.testing import CliRunner

from profile_lookup import cli
from tests.program.conftest import command, environment, serving, shown_values

ACCOUNT = "ACd0000000000000000000000000000000"
TOKEN = "aTokenOfAtLeast24Characters"


def test_accounts_keys_and_stores_are_created_listed_and_revoked(database_url: str) -> None:
    def run(*arguments: str) -> str:
        done = command(*arguments, DATABASE_URL=database_url)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "Make one first" in command("stores", "list", DATABASE_URL=database_url).stderr
    sid, token = shown_values(run("accounts", "create", "acme"))
    store_id = run("stores", "create", "customers").strip()
    again = command("stores", "create", "customers", DATABASE_URL=database_url)
    assert again.stderr == "profile-lookup: NAME: another store of this account already has this name\n"
    key, secret = shown_values(run("keys", "create", "--scope", "lookup", "--name", "agents"))
    assert store_id in run("stores", "list")
    assert "agents" in run("keys", "list", "--account", sid)
    lookup = {"idType": "chat", "value": "c"}
    with serving(DATABASE_URL=database_url) as (_, printed):
        url = f"{printed[0].rpartition(' ')[2]}/v1/Stores/{store_id}/Profiles"
        assert httpx.post(f"{url}/Lookup", json=lookup, auth=(key, secret)).status_code == 200
        assert httpx.post(url, json={}, auth=(key, secret)).status_code == 403
        assert httpx.post(url, json={}, auth=(sid, token)).status_code == 400
        run("keys", "revoke", key)  # while the serving process has the key in use
        assert httpx.post(f"{url}/Lookup", json=lookup, auth=(key, secret)).status_code == 401
    assert key not in run("keys", "list")
    assert (token + secret).isalnum()
    assert (token + secret).isascii()
    run("accounts", "create", "other")
    assert "--account" in command("stores", "list", DATABASE_URL=database_url).stderr


def test_help_and_version_are_readable() -> None:
    helped, refused = command("--help"), command("nonsense")
    assert "serve" in helped.stdout
    assert refused.returncode == 2
    for output in (helped.stdout, refused.stderr):
        assert "Usage: profile-lookup " in output
    assert command("--version").stdout.strip().count(".") == 2


@pytest.mark.parametrize("created", ["accounts", "stores"])
def test_the_help_of_a_command_shows_its_arguments(created: str) -> None:
    assert "{NAME}" in CliRunner().invoke(cli.app, [created, "create", "--help"]).stdout


def test_the_bootstrap_account_has_exactly_the_configured_token(database_url: str) -> None:
    settings = {"DATABASE_URL": database_url, "BOOTSTRAP_ACCOUNT_SID": ACCOUNT}
    for token in (TOKEN, TOKEN[::-1]):
        with serving(**settings, BOOTSTRAP_AUTH_TOKEN=token) as (_, printed):
            url = f"{printed[0].rpartition(' ')[2]}/v1/ControlPlane/Stores"
            for attempted_token in (TOKEN, TOKEN[::-1]):
                status = httpx.post(url, json={}, auth=(ACCOUNT, attempted_token)).status_code
                assert status == (400 if attempted_token == token else 401)


@pytest.mark.parametrize(
    ("token", "is_warned_of"), [("at-least-24-characters-long", True), ("AtLeast24LettersAndDigits", False)]
)
def test_a_bootstrap_token_that_the_go_sdk_cannot_send_is_warned_of(
    database_url: str, tmp_path: Path, token: str, is_warned_of: bool
) -> None:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path}
    done = command("demo", **settings, BOOTSTRAP_ACCOUNT_SID=ACCOUNT, BOOTSTRAP_AUTH_TOKEN=token)
    assert done.returncode == 0
    assert ("the Go SDK cannot send it" in done.stderr) == is_warned_of
    assert token not in done.stderr


@pytest.mark.slow
def test_a_revoked_demo_key_stays_revoked(database_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path}
    first = json.loads(command("demo", "--json", **settings).stdout)
    assert command("keys", "revoke", first["apiKey"], **settings).returncode == 0
    second = json.loads(command("demo", "--json", **settings).stdout)
    assert second["apiKey"] != first["apiKey"]
    assert (second["accountSid"], second["storeId"]) == (first["accountSid"], first["storeId"])
    keys = command("keys", "list", **settings).stdout
    assert second["apiKey"] in keys
    assert first["apiKey"] not in keys


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}, "Cannot reach the database"),
        ({"DATABASE_URL": "mysql://secret@host/x"}, "PROFILE_LOOKUP_DATABASE_URL: expected postgresql://"),
        ({"DATABASE_URL": "postgresql://u:secret@127.0.0.1:1x/x"}, "PROFILE_LOOKUP_DATABASE_URL: expected"),
        ({"WORKERS": "many"}, "PROFILE_LOOKUP_WORKERS"),
        ({"BOOTSTRAP_ACCOUNT_SID": ACCOUNT}, "expected both or neither"),
        ({"BOOTSTRAP_ACCOUNT_SID": ACCOUNT, "BOOTSTRAP_AUTH_TOKEN": "secret"}, "at least 24 characters"),
        ({"BOOTSTRAP_ACCOUNT_SID": "secret", "BOOTSTRAP_AUTH_TOKEN": TOKEN}, "BOOTSTRAP_ACCOUNT_SID"),
        ({"DATA_DIR": "/dev/null/data"}, "/dev/null"),
        ({"PUBLIC_URL": "lookup.example.com"}, "PROFILE_LOOKUP_PUBLIC_URL"),
        ({"TRUSTED_PROXIES": "10.0.0.1;10.0.0.2"}, "TRUSTED_PROXIES: expected addresses and networks"),
        ({"TRUSTED_PROXIES": "127.0.0.1,secret"}, "TRUSTED_PROXIES: expected addresses and networks"),
    ],
)
def test_an_invalid_setting_is_reported_in_one_line(settings: dict[str, str], message: str) -> None:
    failed = command("serve", "--port", "0", **settings)
    assert failed.returncode == 1
    (line,) = failed.stderr.splitlines()
    assert line.startswith("profile-lookup: ")
    assert message in line
    assert "secret" not in line
    assert failed.stdout == ""


def test_a_database_that_was_not_migrated_is_reported_in_one_line(empty_database_url: str) -> None:
    failed = command("serve", "--port", "0", DATABASE_URL=empty_database_url)
    assert failed.returncode == 1
    assert failed.stderr == ("profile-lookup: The schema is not this version's: run `profile-lookup migrate`\n")
    migrated = command("migrate", DATABASE_URL=empty_database_url)
    assert (migrated.returncode, migrated.stdout) == (0, "The schema is up to date.\n")
    with serving(DATABASE_URL=empty_database_url) as (_, printed):
        assert httpx.get(f"{printed[0].rpartition(' ')[2]}/readyz").json() == {"status": "ready"}


def test_help_works_despite_an_invalid_setting() -> None:
    assert command("serve", "--help", PORT="http").returncode == 0
    for argument in ("--help", "settings", "--version"):
        assert CliRunner(env=environment(PORT="http")).invoke(cli.app, [argument]).exit_code == 0


def test_a_busy_port_is_reported_in_one_line(database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        failed = command("serve", "--port", port, DATABASE_URL=database_url)
    assert failed.returncode == 1
    assert failed.stderr == f"profile-lookup: Cannot listen on 127.0.0.1 port {port}: Address already in use\n"


def test_data_of_another_postgresql_version_is_reported_in_one_line(data_dir: Path) -> None:
    (data_dir / "data").mkdir(parents=True)
    (data_dir / "data" / "PG_VERSION").write_text("15\n")
    failed = command("serve", "--port", "0", DATA_DIR=data_dir)
    assert failed.returncode == 1
    (line,) = failed.stderr.splitlines()
    assert "15" in line
    assert "18" in line


@pytest.mark.slow
def test_several_workers_serve_and_end_together(database_url: str) -> None:
    with serving("--workers", "2", DATABASE_URL=database_url) as (process, printed):
        assert httpx.get(f"{printed[0].rpartition(' ')[2]}/readyz", timeout=30).json() == {"status": "ready"}
        worker_settings = {
            child.environ().get("PROFILE_LOOKUP_WORKERS") for child in psutil.Process(process.pid).children()
        }
        assert worker_settings == {"2"}
        process.terminate()
        assert process.wait(30) == 0


def test_headers_of_an_untrusted_proxy_are_ignored(database_url: str) -> None:
    bootstrap = {"BOOTSTRAP_ACCOUNT_SID": ACCOUNT, "BOOTSTRAP_AUTH_TOKEN": TOKEN}
    with serving(DATABASE_URL=database_url, TRUSTED_PROXIES="10.0.0.0/8", **bootstrap) as (_, printed):
        stores = f"{printed[0].rpartition(' ')[2]}/v1/ControlPlane/Stores"
        accepted = httpx.post(
            stores, json={"displayName": "customers"}, auth=(ACCOUNT, TOKEN), headers={"X-Forwarded-Proto": "https"}
        )
        assert accepted.headers["Location"].startswith("http://")
