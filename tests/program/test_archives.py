"""`profile-lookup export` and `restore`, run as an operator does."""

import json
from pathlib import Path

from tests.program.conftest import command


def test_a_store_is_exported_to_a_file_and_restored_into_another_store(database_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path}
    demo = json.loads(command("demo", "--json", **settings).stdout)["storeId"]
    copy = command("stores", "create", "copy", **settings).stdout.strip()
    file = tmp_path / "demo.jsonl"
    (tmp_path / "others").touch(mode=0o644)
    (tmp_path / "demo.jsonl.part").symlink_to("others")
    exported = command("export", "--store", demo, "--output", str(file), **settings)
    assert (exported.returncode, exported.stdout, exported.stderr) == (0, "", "")
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.glob("demo.jsonl*")] == ["demo.jsonl"]
    assert (tmp_path / "others").read_bytes() == b""
    restored = command("restore", str(file), "--store", copy, **settings)
    lines = file.read_text().splitlines()
    assert restored.stdout == f"Restored {len(lines) - 1} profiles, and the settings and trait groups of the file.\n"
    assert restored.stderr == ""
    assert command("export", "--store", copy, **settings).stdout == file.read_text().replace(demo, copy)
    again = command("restore", str(file), "--store", copy, **settings)
    assert again.returncode == 1
    assert again.stderr == "profile-lookup: Nothing is restored: expected a store without any profile\n"


def test_an_unknown_store_is_reported_in_one_line(database_url: str) -> None:
    account = command("accounts", "create", "acme", DATABASE_URL=database_url).stdout.split()[2]
    for store, message in (
        ("mem_store_00000000000000000000000000", "There is no such store in this account"),
        ("customers", "--store: expected mem_store_ and 26 characters"),
    ):
        failed = command("export", "--store", store, "--account", account, DATABASE_URL=database_url)
        assert (failed.returncode, failed.stdout, failed.stderr) == (1, "", f"profile-lookup: {message}\n")
