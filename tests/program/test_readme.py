"""What the README says is so."""

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


def test_what_it_links_to_is_there() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/decisions/*.md")]
    linked = [(page, part.partition(")")[0]) for page in pages for part in page.read_text().split("](")[1:]]
    assert len(linked) > 10
    for page, target in linked:
        assert target.startswith("https://") or (page.parent / target).exists(), (page, target)
