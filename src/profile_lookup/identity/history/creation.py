"""How a profile began, as long as nothing else has happened to it: then no event of its creation is stored."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ActorType = Literal["account", "key", "import", "operation", "command"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asked for a write. `line` is the line of an import's file."""

    type: ActorType
    id: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Creation:
    """A profile that was created at this time has everything from that request, and has lost nothing of it."""

    at: datetime
    actor: Actor | None = None
