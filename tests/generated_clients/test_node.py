"""What reads the OpenAPI document in Node.js: Redocly's linter, and a client with the types of openapi-typescript."""

import shutil
from pathlib import Path

import pytest

from tests.generated_clients.conftest import install, run

PROJECT = Path(__file__).parent / "node"


@pytest.fixture
def project(document: Path, tmp_path: Path) -> Path:
    """A copy of the Node.js project with its packages installed. The document is beside its files."""
    if shutil.which("npm") is None:
        pytest.skip("needs Node.js 20 and npm: apt-get install nodejs npm")
    copied = shutil.copytree(PROJECT, tmp_path / "node", ignore=shutil.ignore_patterns("node_modules"))
    shutil.move(document, copied)
    install(["npm", "ci", "--no-audit", "--no-fund"], copied)
    return copied


@pytest.mark.slow
def test_redocly_finds_no_error_in_the_document(project: Path) -> None:
    # The contract itself has paths of which one can be taken for the other, about which the linter warns.
    run(["npx", "redocly", "lint", "openapi.json", "--max-problems", "1000"], project, REDOCLY_TELEMETRY="off")


@pytest.mark.slow
def test_the_generated_types_compile_and_a_client_walks_from_a_store_to_an_erased_profile(
    project: Path, service_url: str, synchronous_account: tuple[str, str]
) -> None:
    sid, secret = synchronous_account
    run(["npx", "openapi-typescript", "openapi.json", "--output", "schema.ts"], project)
    run(["npx", "tsc"], project)
    run(["node", "compiled/walk.js"], project, BASE=service_url, SID=sid, SECRET=secret)
