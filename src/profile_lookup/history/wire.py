"""The JSON bodies of events, explanations and the feed."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from profile_lookup.identity.history.bridges import Bridge
from profile_lookup.identity.history.creation import Actor, ActorType
from profile_lookup.identity.history.event import Event, Match, is_forgotten
from profile_lookup.identity.history.explanation import Explanation, HeldIdentifier
from profile_lookup.identity.history.splitting import Person
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import TraitName, TraitValue
from profile_lookup.identity.values.normalization import MAX_LENGTH
from profile_lookup.web import ids
from profile_lookup.web.identifier_wire import EventId, ProfileId
from profile_lookup.web.wire import AnswerModel, Meta, Token, WireTime

_Value = Annotated[str, Field(max_length=MAX_LENGTH)]
Strength = Literal["strong", "weak"]
ShownKind = Literal[
    "created", "updated", "merged", "identifierAdded", "identifierReplaced", "identifierRemoved", "traitsChanged",
    "renormalized", "split", "erased", "storeSettingsChanged",
]  # fmt: skip


class ActorAnswer(AnswerModel):
    type: ActorType
    id: str = Field(description="The SID of the account or key, or the ID of the import or operation, or the command.")
    line: int | SkipJsonSchema[None] = Field(default=None, description="The line of the import's file.")

    @classmethod
    def of_domain(cls, actor: Actor | None) -> Self | None:
        return None if actor is None else cls(type=actor.type, id=actor.id, line=actor.line)


class IdentifierOfEvent(AnswerModel):
    id_type: str = Field(examples=["phone"])
    value: _Value | SkipJsonSchema[None] = Field(
        default=None, description="It is absent if the value was removed since.", examples=["+13175556789"]
    )

    @classmethod
    def of_domain(cls, identifier: NormalizedIdentifier) -> Self:
        return cls(id_type=identifier.id_type, value=_value(identifier))


class MatchAnswer(IdentifierOfEvent):
    profile_id: ProfileId
    strength: Strength

    @classmethod
    def of_match(cls, match: Match) -> Self:
        return cls(
            profile_id=ids.profile_id(match.profile_id),
            id_type=match.identifier.id_type,
            value=_value(match.identifier),
            strength=_strength(match),
        )


class TraitOfEvent(AnswerModel):
    trait_group: str = Field(examples=["Contact"])
    name: str = Field(examples=["firstName"])
    value: Any = Field(default=None, description="It is absent if the trait was removed, by the event or since.")
    previous: Any = Field(default=None, description="It is absent if there was none, or if it was removed since.")

    @classmethod
    def of_change(cls, name: TraitName, value: TraitValue | None, previous: TraitValue | None) -> Self:
        return cls(trait_group=name.group, name=name.name, value=value, previous=previous)


class EventAnswer(AnswerModel):
    """Something that happened to a profile, or in the feed also to a store. Members that say nothing are left out."""

    id: EventId
    kind: ShownKind = Field(
        description="The undo of an import is a `split`, too. It names each profile that it left, whether there were "
        "several or not."
    )
    at: WireTime
    profile_id: ProfileId | SkipJsonSchema[None] = Field(
        default=None,
        description="The profile, under the ID that was canonical then. It is absent if an event is about the store.",
    )
    actor: ActorAnswer | SkipJsonSchema[None] = Field(default=None, description="Who asked for it, if that is known.")
    matched: list[MatchAnswer] | SkipJsonSchema[None] = Field(
        default=None, description="The identifiers by which the request was about this person."
    )
    rule: str | SkipJsonSchema[None] = Field(default=None, description="The matching rule that triggered a merge.")
    absorbed: list[ProfileId] | SkipJsonSchema[None] = Field(
        default=None, description="The profiles that merged into this one; or the other IDs of an erased profile."
    )
    added: list[IdentifierOfEvent] | SkipJsonSchema[None] = Field(
        default=None, description="Identifiers that the person did not have before."
    )
    removed: list[IdentifierOfEvent] | SkipJsonSchema[None] = Field(
        default=None, description="Identifiers that were removed or replaced."
    )
    evicted: list[IdentifierOfEvent] | SkipJsonSchema[None] = Field(
        default=None, description="Identifiers that were over the limit of their type."
    )
    traits: list[TraitOfEvent] | SkipJsonSchema[None] = Field(default=None, description="The traits that changed.")
    parts: list[ProfileId] | SkipJsonSchema[None] = Field(
        default=None, description="Of a split: the profiles that it left, the earliest first. This one was split."
    )
    split_from: ProfileId | SkipJsonSchema[None] = Field(
        default=None, description="Of a split: the profile that was split. This one is another part."
    )

    @classmethod
    def of_domain(cls, event: Event) -> Self:
        return cls(
            id=ids.event_id(event.id),
            kind="split" if event.kind == "importUndone" else event.kind,
            at=event.at,
            profile_id=None if event.profile_id is None else ids.profile_id(event.profile_id),
            actor=ActorAnswer.of_domain(event.actor),
            matched=[MatchAnswer.of_match(each) for each in event.matched] or None,
            rule=event.rule,
            absorbed=_profile_ids(profile.id for profile in event.absorbed) or None,
            added=_identifiers(event.added) or None,
            removed=_identifiers(event.removed) or None,
            evicted=_identifiers(event.evicted) or None,
            traits=[TraitOfEvent.of_change(*change) for change in event.trait_changes()] or None,
            parts=_profile_ids(event.parts) or None,
            split_from=None if event.split_from is None else ids.profile_id(event.split_from),
        )


class EventList(AnswerModel):
    events: list[EventAnswer] = Field(max_length=1000)
    meta: Meta


class FeedMeta(AnswerModel):
    """Information about a page of the feed."""

    key: str = Field(max_length=64, description="The name of the property with the items.", examples=["events"])
    page_size: int = Field(description="How many items this page has.", examples=[1])
    next_token: Token = Field(description="The `after` of the next page, also if this one is empty.")


class FeedPage(AnswerModel):
    events: list[EventAnswer] = Field(max_length=1000)
    meta: FeedMeta


class IdentifierAnswer(AnswerModel):
    id_type: str = Field(examples=["phone"])
    value: _Value = Field(examples=["+13175556789"])
    added_at: WireTime
    event: EventId | SkipJsonSchema[None] = Field(default=None, description="The last recorded event that added it.")

    @classmethod
    def of_domain(cls, held: HeldIdentifier) -> Self:
        return cls(
            id_type=held.identifier.id_type,
            value=held.identifier.value,
            added_at=held.added_at,
            event=None if held.event is None else ids.event_id(held.event),
        )


class JoinedBy(IdentifierOfEvent):
    strength: Strength

    @classmethod
    def of_match(cls, match: Match) -> Self:
        return cls(id_type=match.identifier.id_type, value=_value(match.identifier), strength=_strength(match))


class JoinAnswer(AnswerModel):
    """An event that made two people one."""

    event: EventId
    at: WireTime
    kind: Literal["merged", "updated"]
    rule: str | SkipJsonSchema[None] = Field(default=None, description="The matching rule that triggered a merge.")
    by: list[JoinedBy] = Field(description="The identifiers by which they were taken for one person.")
    joined: list[ProfileId] = Field(
        description="The profiles that merged into the one that was canonical. It is empty for an update: there, the "
        "request itself was somebody."
    )
    actor: ActorAnswer | SkipJsonSchema[None] = Field(default=None, description="Who asked for it, if that is known.")

    @classmethod
    def of_domain(cls, event: Event) -> Self:
        return cls(
            event=ids.event_id(event.id),
            at=event.at,
            kind="merged" if event.kind == "merged" else "updated",
            rule=event.rule,
            by=[JoinedBy.of_match(each) for each in event.matched],
            joined=_profile_ids(profile.id for profile in event.absorbed),
            actor=ActorAnswer.of_domain(event.actor),
        )


class BridgeAnswer(AnswerModel):
    """An identifier without which the joins would leave the profile in several parts."""

    id_type: str = Field(examples=["email"])
    value: _Value = Field(examples=["office@acme.example"])
    holds_together: int = Field(description="In how many parts.", examples=[12])

    @classmethod
    def of_domain(cls, bridge: Bridge) -> Self:
        id_type, value = bridge.identifier
        return cls(id_type=id_type, value=value, holds_together=bridge.holds_together)


class ExplanationAnswer(AnswerModel):
    profile_id: ProfileId
    formerly: list[ProfileId] = Field(description="The IDs of the profiles that merged into this one, earliest first.")
    identifiers: list[IdentifierAnswer] = Field(description="The identifiers of the profile, earliest first.")
    joins: list[JoinAnswer] = Field(description="What made it one person, in the order in which it happened.")
    bridges: list[BridgeAnswer] = Field(
        description="The identifiers that alone hold it together, those that hold most together first."
    )

    @classmethod
    def of_domain(cls, person: Person, explanation: Explanation) -> Self:
        return cls(
            profile_id=ids.profile_id(person.profile.id),
            formerly=_profile_ids(sorted(person.aliases)),
            identifiers=[IdentifierAnswer.of_domain(each) for each in explanation.identifiers],
            joins=[JoinAnswer.of_domain(each) for each in explanation.joins],
            bridges=[BridgeAnswer.of_domain(each) for each in explanation.bridges],
        )


def _value(identifier: NormalizedIdentifier) -> str | None:
    return None if is_forgotten(identifier) else identifier.value


def _strength(match: Match) -> Strength:
    return "strong" if match.is_strong else "weak"


def _identifiers(identifiers: Iterable[NormalizedIdentifier]) -> list[IdentifierOfEvent]:
    return [IdentifierOfEvent.of_domain(each) for each in identifiers]


def _profile_ids(profile_ids: Iterable[UUID]) -> list[str]:
    return [ids.profile_id(each) for each in profile_ids]
