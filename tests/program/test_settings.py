"""Commands name the settings in force, variables that are no settings, and files that are missing."""

import json
from pathlib import Path

import pytest

from tests.program.conftest import command


def test_settings_in_force_are_shown_with_their_origin_and_without_secrets() -> None:
    secret = "aTokenOfAtLeast24Characters"
    shown = command(
        "settings", "--in-force", PORT=9000, BOOTSTRAP_ACCOUNT_SID="ACd0", BOOTSTRAP_AUTH_TOKEN=secret,
        DATABASE_URL="postgresql://somebody:password@127.0.0.1/x", S3_ENDPOINT_URL="https://key:password@s3.test",
    ).stdout.splitlines()  # fmt: skip
    assert "| `PROFILE_LOOKUP_PORT` | `9000` | environment |" in shown
    assert "| `PROFILE_LOOKUP_WORKERS` | `1` | default |" in shown
    assert "| `PROFILE_LOOKUP_DATABASE_URL` | `**********` | environment |" in shown
    assert "| `PROFILE_LOOKUP_BOOTSTRAP_AUTH_TOKEN` | `**********` | environment |" in shown
    assert "| `PROFILE_LOOKUP_S3_ENDPOINT_URL` | `https://**********@s3.test` | environment |" in shown
    assert not any(secret in line or "password" in line for line in shown)


@pytest.mark.parametrize(
    ("name", "remark"),
    [
        ("DATABSE_URL", ": did you mean PROFILE_LOOKUP_DATABASE_URL?"),
        ("WORKER", ": did you mean PROFILE_LOOKUP_WORKERS?"),
        ("ZZZ", "; `profile-lookup settings` lists them"),
    ],
)
@pytest.mark.parametrize("arguments", [("settings", "--in-force"), ("accounts", "list")])
def test_every_command_names_a_variable_that_is_no_setting_and_the_likely_one(
    database_url: str, arguments: tuple[str, ...], name: str, remark: str
) -> None:
    done = command(*arguments, DATABASE_URL=database_url, **{name: "a value"})
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    logged = json.loads(line)
    assert logged["event"] == f"PROFILE_LOOKUP_{name} is no setting{remark}"
    assert "a value" not in line


@pytest.mark.parametrize("parameter", ["sslrootcert", "sslcert", "sslkey", "sslcrl"])
def test_a_missing_file_of_the_database_url_is_named(tmp_path: Path, parameter: str) -> None:
    missing = tmp_path / "ca.pem"
    failed = command(
        "migrate", DATABASE_URL=f"postgresql://u:secret@127.0.0.1:1/x?sslmode=verify-full&{parameter}={missing}"
    )
    assert failed.returncode == 1
    assert failed.stderr == (
        f"profile-lookup: PROFILE_LOOKUP_DATABASE_URL: {parameter}: expected a file that can be read; {missing} is none\n"
    )
