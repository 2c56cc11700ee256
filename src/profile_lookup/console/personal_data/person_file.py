"""All that the service holds about one person, as one JSON document."""

import asyncio
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.history.queries import fetch_person
from profile_lookup.history.separations import separations_of
from profile_lookup.history.split_wire import SeparationAnswer
from profile_lookup.history.wire import EventAnswer, ExplanationAnswer
from profile_lookup.identity.history.explanation import explanation_of
from profile_lookup.identity.history.splitting import Person
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.profiles import queries
from profile_lookup.profiles.suspects import shared_values, suspects_of
from profile_lookup.profiles.wire import (
    IdentifierSet,
    ProfileAnswer,
    Suspect,
    TraitAnswer,
    identifier_sets,
    traits_by_group,
)
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids
from profile_lookup.web.wire import AnswerModel


class PersonFile(AnswerModel):
    """Each member has what the API answers, and each list is whole. `events` begin with the earliest."""

    profile: ProfileAnswer
    identifiers: list[IdentifierSet]
    traits: list[TraitAnswer]
    explanation: ExplanationAnswer
    separations: list[SeparationAnswer]
    suspects: list[Suspect]
    events: list[EventAnswer]


async def person_file(connection: AsyncConnection, store: StoreRules, profile_id: UUID) -> bytes:
    """Return the document. `connection` sees one moment. Raises `ProfileMoved` or `ProfileNotFound`."""
    person = await fetch_person(connection, store, profile_id)
    lists = await _lists(connection, store, profile_id)
    # In a thread, since it takes long for somebody with thousands of events.
    return await asyncio.to_thread(_document, store.settings, person, lists)


async def _lists(connection: AsyncConnection, store: StoreRules, profile_id: UUID) -> dict[str, object]:
    """Return all members of the document but those that are made of the person's events."""
    row = await queries.fetch_profile(connection, store, profile_id)
    traits = (await connection.execute(queries.traits_of(store, profile_id, None).order_by(*queries.NAMES))).all()
    identifiers = await connection.execute(queries.identifiers_of(store, profile_id))
    separations, _ = await separations_of(connection, store, profile_id)
    suspects = (await connection.execute(suspects_of(store, profile_id))).all()
    values = await shared_values(connection, store, suspects)
    return {
        "profile": ProfileAnswer(id=ids.profile_id(row.id), created_at=row.created_at, traits=traits_by_group(traits)),
        "identifiers": identifier_sets(store.settings.id_types, identifiers),
        "traits": [TraitAnswer.of_row(each) for each in traits],
        "separations": [SeparationAnswer.of_row(each) for each in await connection.execute(separations)],
        "suspects": [Suspect.of_row(each, values.get(place)) for place, each in enumerate(suspects)],
    }


def _document(settings: IdentityResolutionSettings, person: Person, lists: dict[str, object]) -> bytes:
    content = PersonFile.model_validate(
        lists
        | {
            "explanation": ExplanationAnswer.of_domain(person, explanation_of(settings, person)),
            "events": [EventAnswer.of_domain(each) for each in person.events if each.is_shown],
        }
    )
    return content.model_dump_json(by_alias=True, exclude_none=True, indent=2).encode()
