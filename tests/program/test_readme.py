"""The statements of the README and of the pages that it leads to are true."""

import re
import shlex
import subprocess
from pathlib import Path

from profile_lookup.app import create_app
from profile_lookup.settings import load_settings
from tests.conftest import PATIENCE
from tests.program.conftest import command, environment

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MOST_LINES = 130  # of the README, so that it is read to its end


def test_the_table_of_settings_equals_the_output_of_the_command() -> None:
    assert command("settings").stdout in (DOCS / "settings.md").read_text()


def test_the_listed_operations_equal_those_of_the_service() -> None:
    app = create_app(load_settings(database_url="postgresql://nobody@127.0.0.1:1/nothing"))
    operations = {
        f"`{method.upper()} {path}`" for path, methods in app.openapi()["paths"].items() for method in methods
    }
    lines = (DOCS / "endpoints.md").read_text().splitlines()
    assert {line.split("|")[1].strip() for line in lines if line.startswith("| `")} == operations


def test_the_script_from_nothing_to_a_merged_profile_gets_the_shown_answers(
    service_url: str, synchronous_account: tuple[str, str]
) -> None:
    script = "".join(re.findall(r"```sh\n(.*?)```", (DOCS / "walkthrough.md").read_text(), re.DOTALL))
    shown = [line.removeprefix("# ") for line in script.splitlines() if line.startswith("# ")]
    assert len(shown) > 8
    process = subprocess.run(
        ["sh"],
        input=script,
        env=environment() | {"BASE": service_url, "AUTH": ":".join(synchronous_account)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert process.stderr == ""
    real = process.stdout.replace(service_url, "http://127.0.0.1:8000")
    assert _with_placeholders(real).splitlines() == _with_placeholders("\n".join(shown)).splitlines()


def _with_placeholders(answers: str) -> str:
    """Replace each ID by its kind and the order in which it first appears, and replace tokens and times."""
    seen: dict[str, int] = {}
    numbered = re.sub(
        r"(mem_[a-z]+_)[0-7][0-9a-z]{25}", lambda found: f"{found[1]}{seen.setdefault(found[0], len(seen))}", answers
    )
    numbered = re.sub(r"/Uploads/[^\"]+", "/Uploads/TOKEN", numbered)
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", numbered)


def test_the_commands_for_accounts_keys_and_stores_work_in_order_after_the_demo(
    database_url: str, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path}
    assert command("demo", **settings).returncode == 0
    section = (DOCS / "access.md").read_text().partition("## Accounts, keys, stores\n")[2].partition("\n## ")[0]
    printed = [line.removeprefix("$ python3 run.py ") for line in section.splitlines() if line.startswith("$ ")]
    assert len(printed) > 3
    for line in printed:
        done = command(*shlex.split(line, comments=True), **settings)
        assert done.returncode == 0, (line, done.stderr)
    account = command("accounts", "create", "other", **settings).stdout.split()[2]
    with_account = "stores create customers --account AC…"
    assert f"`{with_account}`" in section
    assert command(*with_account.replace("AC…", account).split(), **settings).returncode == 0


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= MOST_LINES


def test_the_targets_of_all_links_and_their_headings_exist() -> None:
    linked = [
        (page, part.partition(")")[0])
        for page in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
        for part in _without_code(page.read_text()).split("](")[1:]
    ]
    assert len(linked) > 100
    for page, target in linked:
        path, _, heading = target.partition("#")
        linked_page = page.parent / path if path else page
        assert target.startswith("https://") or linked_page.exists(), (page, target)
        assert not heading or target.startswith("https://") or heading in _headings(linked_page), (page, target)


def _without_code(text: str) -> str:
    """Return a page without its blocks of code, in which brackets mean something else."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def _headings(page: Path) -> set[str]:
    """Return the names by which links name the headings of a page, as GitHub and our mkdocs.yml make them."""
    titles = re.findall(r"^#+ (.+)$", _without_code(page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_is_in_the_contents_of_the_site() -> None:
    contents = (ROOT / "mkdocs.yml").read_text()
    pages = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")]
    missing = {page for page in pages if f"- {page}" not in contents and not page.startswith("decisions/")}
    assert missing == set()
