"""A downgrade writes the documents of events in their first form; an upgrade leaves that as it is."""

import json
from base64 import urlsafe_b64decode
from typing import Any

from alembic import op
from sqlalchemy import text

revision = "2026_11_29_short_events"
down_revision = "2026_11_29_split_parts"
branch_labels = None
depends_on = None

Document = dict[str, Any]

TOGETHER = 1000  # events
ACTOR_TYPES = {"a": "account", "k": "key", "i": "import", "o": "operation", "c": "command"}
SAME = set("adehknxusqf")
"""The parts that both forms have alike."""


def upgrade() -> None:
    """Change nothing: both forms are read."""


def downgrade() -> None:
    connection = op.get_bind()
    while rows := connection.execute(SHORT, {"limit": TOGETHER}).all():
        changes = [
            {"store_id": row.store_id, "number": row.number, "document": json.dumps(first_form(row.document))}
            for row in rows
        ]
        connection.execute(REWRITE, changes)


SHORT = text("select store_id, number, document from event where document -> 'v' is not null limit :limit")
REWRITE = text("update event set document = cast(:document as json) where store_id = :store_id and number = :number")


def first_form(short: Document) -> Document:
    """Return the document in its first form: names with each trait, and times relative to that of the event."""
    identifiers = list(zip(short["v"][::2], short["v"][1::2], strict=True))
    names = [(group, name) for group, *traits in short.get("y", ()) for name in traits]
    clock = Clock()
    document: Document = {
        "i": [[each for each in identifier if each is not None] for identifier in identifiers],
        "b": [
            [short_id, clock.times(times), grouped(names, clock.held(traits))]
            for short_id, times, traits in zip(*(short.get("b", ())[place::3] for place in range(3)), strict=True)
        ],
        "l": clock.times(short.get("l", ())),
        "t": clock.times(short.get("t", ())),
        "p": grouped(names, clock.before(short.get("p", ()))),
        "w": grouped(names, dict(enumerate(short.get("w", ())))),
        "m": [
            part
            for who, number in zip(short.get("m", ())[::2], short.get("m", ())[1::2], strict=True)
            for part in (who, number // 2, number % 2)
        ],
        "c": list(range(short["c"])) if isinstance(short.get("c"), int) else short.get("c"),
        "r": [identifiers[rule][0] if isinstance(rule, int) else rule for rule in short.get("r", ())],
        "o": actor(*short["o"]) if "o" in short else None,
    }
    document["r"] = document["r"][0] if document["r"] else None
    document |= {key: short[key] for key in SAME & short.keys()}
    return {key: part for key, part in document.items() if part or key == "i"}


class Clock:
    """Adds up the times, each of which is the difference to the one before it."""

    def __init__(self) -> None:
        self.time = 0

    def after(self, since: int) -> int:
        self.time += since
        return self.time

    def times(self, flat: list[int]) -> list[int]:
        return [part if place % 2 == 0 else self.after(part) for place, part in enumerate(flat)]

    def held(self, flat: list[Any]) -> dict[int, Any]:
        triples = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
        return {
            max(number, ~number): [value, self.after(since), *([1] if number < 0 else ())]
            for number, value, since in triples
        }

    def before(self, traits: list[Any]) -> dict[int, Any]:
        return {
            position: [trait[0], self.after(trait[1]), *trait[2:]] if isinstance(trait, list) else None
            for position, trait in enumerate(traits)
            if trait != 1
        }


def grouped(names: list[tuple[str, str]], traits: dict[int, Any]) -> Document:
    document: Document = {}
    for position, trait in traits.items():
        group, name = names[position]
        document.setdefault(group, {})[name] = trait
    return document


def actor(named: str, *line: int) -> list[Any]:
    letter, actor_id = named[0], named[1:]
    if letter == "m":
        return ["import", f"mem_import_{actor_id}", *line]
    if letter == "s":
        return ["key", f"SK{key_hex(actor_id)}", *line]
    return [ACTOR_TYPES[letter], actor_id, *line]


def key_hex(short: str) -> str:
    return urlsafe_b64decode(short + "==").hex()
