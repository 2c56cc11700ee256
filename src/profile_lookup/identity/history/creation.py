"""How a profile began, as long as nothing else has happened to it: then no event of its creation is stored."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

ActorType = Literal["account", "key", "import", "operation", "command"]


class Actor(NamedTuple):
    """Who asked for a write. `line` is the line of an import's file.

    It is a tuple, which is made in a third of the time: each row of an import has one.
    """

    type: ActorType
    id: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Creation:
    """A profile that was created at this time has everything from that request, and has lost nothing of it."""

    at: datetime
    actor: Actor | None = None
