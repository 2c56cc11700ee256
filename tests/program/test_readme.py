"""What the README says is so."""

import shlex
from pathlib import Path

from profile_lookup.app import create_app
from profile_lookup.settings import load_settings
from tests.program.conftest import command

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_table_of_settings_is_what_the_command_prints() -> None:
    assert command("settings").stdout in README


def test_the_operations_it_lists_are_those_of_the_service() -> None:
    app = create_app(load_settings(database_url="postgresql://nobody@127.0.0.1:1/nothing"))
    operations = {
        f"`{method.upper()} {path}`" for path, methods in app.openapi()["paths"].items() for method in methods
    }
    listed = {line.split("|")[1].strip() for line in README.splitlines() if line.startswith("| `")}
    assert {operation for operation in listed if "/v1/" in operation} == operations


def test_the_commands_for_accounts_keys_and_stores_work_in_their_order_after_the_demo(
    database_url: str, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path}
    assert command("demo", **settings).returncode == 0
    section = README.partition("## Accounts, keys, stores\n")[2].partition("\n## ")[0]
    printed = [line.removeprefix("$ python3 run.py ") for line in section.splitlines() if line.startswith("$ ")]
    assert len(printed) > 3
    for line in printed:
        done = command(*shlex.split(line, comments=True), **settings)
        assert done.returncode == 0, (line, done.stderr)
    account = command("accounts", "create", "other", **settings).stdout.split()[2]
    of_this = "stores create customers --account AC…"
    assert f"`{of_this}`" in section
    assert command(*of_this.replace("AC…", account).split(), **settings).returncode == 0


def test_what_it_links_to_is_there() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/decisions/*.md")]
    linked = [(page, part.partition(")")[0]) for page in pages for part in page.read_text().split("](")[1:]]
    assert len(linked) > 10
    for page, target in linked:
        assert target.startswith("https://") or (page.parent / target).exists(), (page, target)
