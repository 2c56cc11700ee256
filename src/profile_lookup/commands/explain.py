"""`profile-lookup explain`: why a profile is one person, as a tree."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated
from uuid import UUID

import typer
from rich.text import Text
from rich.tree import Tree

from profile_lookup.commands.accounts import AccountOption, chosen_account
from profile_lookup.commands.database import configure, open_database, running_database
from profile_lookup.commands.errors import CommandError
from profile_lookup.commands.profile_arguments import StoreArgument, console, printable, profile_id_of, store_id_of
from profile_lookup.errors import NotFound, ProfileMoved
from profile_lookup.history.queries import fetch_person
from profile_lookup.identity.history.bridges import Bridge
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event import Event, is_forgotten
from profile_lookup.identity.history.explanation import Explanation, explanation_of
from profile_lookup.identity.history.splitting import Person
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.settings import Settings
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.web import ids


def explain(
    store: StoreArgument,
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="mem_profile_…, or the ID of a merged one.")],
    account: AccountOption = None,
) -> None:
    """Show why a profile is one person: the joins that made it, and the identifiers that alone hold it together."""
    store_id, profile_id = store_id_of(store), profile_id_of(profile)
    with running_database(configure()) as settings:
        person, explanation = asyncio.run(_explained(settings, account, store_id, profile_id))
    output = console()
    for tree in trees_of(person, explanation):
        output.print(tree)


async def _explained(
    settings: Settings, account: str | None, store_id: UUID, profile_id: UUID
) -> tuple[Person, Explanation]:
    async with open_database(settings) as database, database.snapshot() as connection:
        try:
            store = await rules_in_force(connection, await chosen_account(connection, account), store_id)
            try:
                person = await fetch_person(connection, store, profile_id)
            except ProfileMoved as moved:
                person = await fetch_person(connection, store, moved.canonical_id)
        except NotFound:
            raise CommandError("There is no such profile in a store of this account") from None
        return person, explanation_of(store.settings, person)


def trees_of(person: Person, explanation: Explanation) -> Iterator[Tree]:
    """Yield the joins below the profiles that they made larger, and the bridges if there are any."""
    nodes: dict[UUID, Tree] = {}

    def node(profile_id: UUID) -> Tree:
        return nodes.setdefault(profile_id, Tree(Text(ids.profile_id(profile_id))))

    for event in explanation.joins:
        join = node(event.profile_id).add(Text(_join_line(event)))
        join.children.extend(node(absorbed.id) for absorbed in event.absorbed)
    yield node(person.profile.id)
    if explanation.bridges:
        bridges = Tree(Text("Without one of these identifiers it would fall into several parts:"))
        for bridge in explanation.bridges:
            bridges.add(Text(_bridge_line(bridge)))
        yield bridges


def _join_line(event: Event) -> str:
    by = ", ".join(_listed(dict.fromkeys(match.identifier for match in event.matched)))
    parts: Sequence[str] = (
        f"{event.at:%Y-%m-%dT%H:%M:%SZ}",
        event.kind,
        ids.event_id(event.id),
        f"by {by}" if by else "",
        _actor(event.actor),
    )
    return "  ".join(part for part in parts if part)


def _actor(actor: Actor | None) -> str:
    if actor is None:
        return ""
    line = "" if actor.line is None else f", line {actor.line}"
    return f"({actor.type} {actor.id}{line})"


def _listed(identifiers: Iterable[NormalizedIdentifier]) -> Iterator[str]:
    for each in identifiers:
        yield f"{each.id_type} {'(removed since)' if is_forgotten(each) else printable(each.value)}"


def _bridge_line(bridge: Bridge) -> str:
    (identifier,) = _listed([bridge.identifier])
    return f"{identifier} holds {bridge.holds_together} parts together"
