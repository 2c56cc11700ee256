"""The rows that a difference inserts, updates and deletes, as the parameters of one statement."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from profile_lookup.database.documents import actor_text, json_text, serialized_traits
from profile_lookup.database.event_rows import EVENT_COLUMNS, event_row
from profile_lookup.database.fuzzy_key import fuzzy_key
from profile_lookup.identity.difference import Difference
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.profile import Trait, TraitName
from profile_lookup.identity.rules import IdentityResolutionSettings

_COLUMNS = {
    "created": {
        "id": "uuid", "created_at": "timestamptz", "traits": "jsonb",
        "is_as_created": "boolean", "created_by": "text", "is_separated": "boolean",
    },
    "upserted": {
        "profile_id": "uuid", "id_type": "text", "value": "text",
        "is_unique": "boolean", "fuzzy_key": "bigint", "added_at": "timestamptz", "names": "text",
    },
    "deleted": {"profile_id": "uuid", "id_type": "text", "value": "text"},
    "amended": {
        "id": "uuid", "traits": "jsonb", "is_no_longer_as_created": "boolean", "is_separated": "boolean",
    },
    "aliased": {"id": "uuid", "profile_id": "uuid"},
    "recorded": {**EVENT_COLUMNS, "is_repeated": "boolean"},
}  # fmt: skip
"""The tables of rows that the statements of `writes.py` get: each column is passed as an array."""

_SENT_AS_TEXT = {"boolean", "bigint"}
"""The driver checks of each element of an array whether it is an array itself, which takes longer than to write this.
"""


def parameters_of(settings: IdentityResolutionSettings, store_id: UUID, difference: Difference) -> dict[str, Any]:
    """Return the parameters of the statement that writes a difference."""
    id_types = {identifier.id_type for _, identifier, _ in difference.upserted_identifiers}
    marks = {each: (settings.is_unique(each), fuzzy_key(settings, store_id, each)) for each in id_types}
    rows: dict[str, Iterable[Sequence[object]]] = {
        "created": [
            (
                profile_id,
                created_at,
                _traits(difference.traits.get(profile_id, {}), created_at),
                profile_id in difference.creations,
                _created_by(difference, profile_id),
                profile_id in difference.separated,
            )
            for profile_id, created_at in difference.created.items()
        ],
        "upserted": [
            (profile_id, *each, *marks[each.id_type], added_at, _names(difference.names.get((profile_id, each))))
            for profile_id, each, added_at in difference.upserted_identifiers
        ],
        "deleted": [(profile_id, *each) for profile_id, each in difference.deleted_identifiers],
        "amended": [
            (
                profile_id,
                _traits(difference.traits[profile_id]) if profile_id in difference.traits else None,
                profile_id in difference.no_longer_as_created,
                profile_id in difference.separated,
            )
            for profile_id in {*difference.traits, *difference.no_longer_as_created, *difference.separated}
            if profile_id not in difference.created
        ],
        "aliased": difference.aliases.items(),
        "recorded": _recorded(store_id, difference.events),
    }
    parameters: dict[str, Any] = {"store_id": store_id}
    for table, columns in _COLUMNS.items():
        arrays = list(zip(*rows[table], strict=True)) or [()] * len(columns)
        for (column, kind), array in zip(columns.items(), arrays, strict=True):
            parameters[f"{table}_{column}"] = _array(array) if kind in _SENT_AS_TEXT else array
    return parameters


def rows_of(table: str, named: str | None = None) -> str:
    """Return the SQL that turns the parameters of a table into its rows, for `from`."""
    columns = _COLUMNS[table]
    arrays = ", ".join(_sql_array(f":{table}_{column}", kind) for column, kind in columns.items())
    return f"unnest({arrays}) as {named or table} ({', '.join(columns)})"


def _sql_array(parameter: str, kind: str) -> str:
    if kind in _SENT_AS_TEXT:
        return f"cast(cast({parameter} as text) as {kind}[])"
    # JSON is passed as text, since that is how the driver sends it.
    return f"cast({parameter} as {'text' if kind in {'json', 'jsonb'} else kind}[])"


def _traits(traits: Mapping[TraitName, Trait], created_at: datetime | None = None) -> str:
    return json_text(serialized_traits(traits, created_at))


def _recorded(store_id: UUID, events: Sequence[Event]) -> list[tuple[object, ...]]:
    """Return the rows of these events, and whether a later one repeats each; of repetitions, the first and the last."""
    rows = [event_row(store_id, event) for event in events]
    repetitions: dict[tuple[UUID, object], list[int]] = {}
    for place, (event, (*_, repetition_key)) in enumerate(zip(events, rows, strict=True)):
        if repetition_key is not None:
            repetitions.setdefault((event.profile_id, repetition_key), []).append(place)
    repeated = {first for first, *later in repetitions.values() if later}
    left_out = {place for places in repetitions.values() for place in places[1:-1]}
    return [(*row, place in repeated) for place, row in enumerate(rows) if place not in left_out]


def _created_by(difference: Difference, profile_id: UUID) -> str | None:
    creation = difference.creations.get(profile_id)
    return None if creation is None else actor_text(creation.actor)


def _names(names: Sequence[int] | None) -> str | None:
    """Return the names as text, since arrays of several lengths do not fit in an array."""
    return None if names is None else _array(names)


def _array(items: Iterable[object]) -> str:
    """Return PostgreSQL's text of an array of numbers or of truth values."""
    return f"{{{','.join(['null' if each is None else str(each) for each in items])}}}"
