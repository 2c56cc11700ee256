"""Where the migrations are, and how they are run: from a checkout, or from an installed package."""

from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory


def _directory() -> Path:
    packaged = Path(str(files("profile_lookup"))) / "migrations"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "migrations"


def alembic_config(database_url: str) -> Config:
    """`database_url`: postgresql://…, as in the settings."""
    config = Config()
    config.set_main_option("script_location", str(_directory()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["database_url"] = database_url
    return config


def migrate(database_url: str) -> None:
    """Bring the schema to this version's; replicas that do so at once wait for each other."""
    command.upgrade(alembic_config(database_url), "head")


def newest_revision() -> str:
    """The revision this version of the program needs."""
    head = ScriptDirectory(str(_directory())).get_current_head()
    if head is None:
        raise RuntimeError("no migrations are installed")
    return head
