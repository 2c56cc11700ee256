"""The products to measure: that of this checkout, and that of another commit, whose files are kept for the next run."""

import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

from benchmarks.datasets import Dataset, empty_dataset, ensure_dataset, migrations_of, named_dataset
from benchmarks.errors import BenchmarkError
from benchmarks.processes import ROOT, plain_environment
from benchmarks.progress import say
from profile_lookup.database.embedded.roles import SUPERUSER
from profile_lookup.database.embedded.server import EmbeddedPostgres
from profile_lookup.settings import PREFIX

_LOCK = "requirements-dev.lock"
_INSTALL = "import run; run.install(run.DEVELOPMENT)"
_LOAD = """
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit
from benchmarks.datasets import embedded_postgres, empty_dataset, ensure_dataset
directory, purpose, size = sys.argv[1:]
with embedded_postgres(Path(directory)) as server:
    ensure_dataset(server, size, purpose=purpose) if size else empty_dataset(server, purpose)
"""
_WHERE = "import profile_lookup; print(profile_lookup.__file__)"


@dataclass(frozen=True, slots=True)
class Product:
    """`root`: the checkout that has its source; `python`: an interpreter that has its dependencies.

    `settings`: those of its environment, beside the usual ones.
    """

    name: str
    root: Path
    python: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> Sequence[str]:
        return [str(self.python), "-m", "profile_lookup", *arguments]

    @property
    def environment(self) -> Mapping[str, str]:
        """The path of the source, which takes precedence over what is installed."""
        return {"PYTHONPATH": str(self.root / "src"), **self.settings}


def product_here(name: str) -> Product:
    """Return the product of this checkout, with all changes that are not committed."""
    return Product(name, ROOT, Path(sys.executable))


def product_of(revision: str, directory: Path) -> Product:
    """Return the product of another commit of this repository, kept in `directory`.

    Raises `BenchmarkError` if there is none.
    """
    commit = _git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").decode().strip()
    root = directory / commit
    if not root.exists():
        _extract(commit, root)
    product = Product(commit[:7], root, _python(root))
    where = _run([str(product.python), "-c", _WHERE], root, product.environment).decode().strip()
    if not Path(where).is_relative_to(root):
        raise BenchmarkError(f"{revision} has no product of its own: {where} is used")
    return product


def migrate(product: Product, database_url: str) -> None:
    """Give a database the schema of this product."""
    environment = {**product.environment, f"{PREFIX}DATABASE_URL": database_url}
    _run(product.command("migrate"), product.root, environment)


def dataset_of(product: Product, server: EmbeddedPostgres, data: Path, purpose: str, size: str) -> Dataset:
    """Return a database for a product. Products with the same migrations share it; size "": an empty store.

    If the migrations differ, the benchmark of the other checkout creates it.
    """
    if migrations_of(product.root) == migrations_of(ROOT):
        return ensure_dataset(server, size, purpose=purpose) if size else empty_dataset(server, purpose)
    say(f"{product.name} has other migrations: loading its own database …")
    own_purpose = f"{purpose}_{product.name}"
    command = [str(product.python), "-c", _LOAD, str(data), own_purpose, size]
    # Earlier versions of the embedded server needed no password, so their URLs contain none.
    password = unquote(urlsplit(server.url_as(SUPERUSER)).password or "")
    environment = {"PYTHONPATH": f"{product.root / 'src'}:{product.root}", "PGPASSWORD": password}
    _run(command, product.root, environment)
    return named_dataset(server, f"{own_purpose}_{size}".lower() if size else own_purpose, size)


def _extract(commit: str, root: Path) -> None:
    """Write all files of a commit. The directory appears when they are complete."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=root.parent) as directory,
        tarfile.open(fileobj=BytesIO(_git("archive", "--format=tar", commit))) as archive,
    ):
        files = Path(directory) / "files"
        archive.extractall(files, filter="data")
        files.rename(root)


def _python(root: Path) -> Path:
    """Return an interpreter with the locked packages: this one if the locks are equal, or that of a new environment."""
    if (root / _LOCK).read_bytes() == (ROOT / _LOCK).read_bytes():
        return Path(sys.executable)
    if not (root / ".venv").exists():
        say("Installing the packages of the other commit, which takes minutes …")
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    _run([str(base), "-c", _INSTALL], root, {})
    return root / ".venv" / "bin" / "python"


def _git(*arguments: str) -> bytes:
    return _run(["git", *arguments], ROOT, {})


def _run(command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> bytes:
    """Return what a command prints. Raises `BenchmarkError` if it fails."""
    process = subprocess.run(
        command, cwd=directory, env={**plain_environment(), **environment}, capture_output=True, check=False
    )
    if process.returncode != 0:
        errors = process.stderr.decode(errors="replace").strip()
        raise BenchmarkError(f"{' '.join(command[:2])} failed: {errors or process.returncode}")
    return process.stdout
