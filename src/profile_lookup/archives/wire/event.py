"""The history of a profile in an archive: its events, and what keeps it apart from others."""

from collections.abc import Iterable
from operator import not_
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from profile_lookup.archives.wire.person import (
    ArchivedActor,
    ArchivedIdentifier,
    ArchivedPerson,
    ArchivedTrait,
    Name,
    ProfileId,
    Time,
    Value,
    archived_identifiers,
    identifiers_of,
)
from profile_lookup.identity.history.event import Before, Event, Match, RecordedRequest
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Trait, TraitName
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.identity_settings.wire import IdType
from profile_lookup.web.wire import AnswerModel

ArchivedKind = Literal[
    "created", "updated", "merged", "identifierAdded", "identifierReplaced", "identifierRemoved", "traitsChanged",
    "renormalized", "split",
]  # fmt: skip
"""The kinds of events that a profile can have. The others are events of the store."""

MAX_PLACES = 1 << 20
"""No body is long enough for so many identifiers."""

Number = Annotated[int, Field(ge=1)]
"""The place of an event in the history of the store, beginning with 1."""

IfTrue = Field(default=False, exclude_if=not_)


class ArchivedMention(AnswerModel):
    """An identifier without a time. It has no value if that was removed."""

    id_type: IdType
    value: Value | None = None

    @classmethod
    def of_domain(cls, identifier: NormalizedIdentifier, **more: object) -> Self:
        return cls(id_type=identifier.id_type, value=identifier.value or None, **more)

    def to_domain(self) -> NormalizedIdentifier:
        return NormalizedIdentifier(self.id_type, NormalizedValue(self.value or ""))


Mentions = Annotated[list[ArchivedMention], Field(default_factory=list, exclude_if=not_)]


class ArchivedMatch(ArchivedMention):
    profile_id: ProfileId
    is_strong: bool


class ArchivedPlace(ArchivedMention):
    """An identifier at its place in the request that carried it."""

    place: Annotated[int, Field(ge=0, lt=MAX_PLACES)]


class ArchivedWrite(AnswerModel):
    """A trait that a request wrote. It has no value if the request removed it, or if it was removed since."""

    group: Name
    name: Name
    value: Any = None


def _each_once(traits: list[Any]) -> list[Any]:
    if len({(each.group, each.name) for each in traits}) < len(traits):
        raise PydanticCustomError("repeated_trait", "Input should have each trait once")
    return traits


class ArchivedRequest(AnswerModel):
    carried: list[ArchivedPlace] = Field(default_factory=list, exclude_if=not_)
    traits: Annotated[list[ArchivedWrite], AfterValidator(_each_once)] = Field(default_factory=list, exclude_if=not_)
    addressed: ProfileId | None = None
    renews: bool = IfTrue

    @classmethod
    def of_domain(cls, request: RecordedRequest) -> Self:
        return cls(
            carried=[ArchivedPlace.of_domain(each, place=place) for place, each in request.carried.items()],
            traits=[
                ArchivedWrite(group=name.group, name=name.name, value=value) for name, value in request.traits.items()
            ],
            addressed=request.addressed,
            renews=request.renews,
        )

    def to_domain(self) -> RecordedRequest:
        return RecordedRequest(
            {each.place: each.to_domain() for each in self.carried},
            {TraitName(each.group, each.name): each.value for each in self.traits},
            self.addressed,
            self.renews,
        )


class ArchivedFormerTrait(ArchivedWrite):
    """A trait before an event. It has no value if there was none, or if that was removed since."""

    written_at: Time | None = None
    lost_identifier: bool = IfTrue

    @model_validator(mode="after")
    def _value_has_time(self) -> Self:
        if (self.value is None) != (self.written_at is None):
            raise PydanticCustomError("former_trait", "Input should have both value and writtenAt, or none of them")
        return self

    def to_domain(self) -> Trait | None:
        return None if self.written_at is None else Trait(self.value, self.written_at, self.lost_identifier)


class ArchivedBefore(AnswerModel):
    lost: list[ArchivedIdentifier] = Field(default_factory=list, exclude_if=not_)
    retimed: list[ArchivedIdentifier] = Field(default_factory=list, exclude_if=not_)
    traits: Annotated[list[ArchivedFormerTrait], AfterValidator(_each_once)] = Field(
        default_factory=list, exclude_if=not_
    )
    held: Mentions

    @classmethod
    def of_domain(cls, before: Before) -> Self:
        return cls(
            lost=archived_identifiers(before.lost),
            retimed=archived_identifiers(before.retimed),
            traits=[
                ArchivedFormerTrait(group=name.group, name=name.name)
                if trait is None
                else ArchivedFormerTrait.model_validate(ArchivedTrait.of_domain(name, trait).model_dump())
                for name, trait in before.traits.items()
            ],
            held=_mentions(sorted(before.held)),
        )

    def to_domain(self) -> Before:
        return Before(
            identifiers_of(self.lost),
            identifiers_of(self.retimed),
            {TraitName(each.group, each.name): each.to_domain() for each in self.traits},
            frozenset(each.to_domain() for each in self.held),
        )


class ArchivedEvent(AnswerModel):
    """An event with all that it keeps, as `identity.history.event.Event` explains it."""

    number: Number
    id: UUID
    kind: ArchivedKind
    at: Time
    profile_id: ProfileId
    request: ArchivedRequest = Field(default_factory=ArchivedRequest, exclude_if=lambda each: each == ArchivedRequest())
    matched: list[ArchivedMatch] = Field(default_factory=list, exclude_if=not_)
    rule: IdType | None = None
    absorbed: list[ArchivedPerson] = Field(default_factory=list, exclude_if=not_)
    added: Mentions
    removed: Mentions
    evicted: Mentions
    before: ArchivedBefore = Field(default_factory=ArchivedBefore, exclude_if=lambda each: each == ArchivedBefore())
    actor: ArchivedActor | None = None
    has_ended: bool = IfTrue
    undone_by: UUID | None = None
    undid: list[UUID] = Field(default_factory=list, exclude_if=not_)
    parts: list[ProfileId] = Field(default_factory=list, exclude_if=not_)
    split_from: ProfileId | None = None

    @classmethod
    def of_domain(cls, number: int, event: Event) -> Self:
        return cls.model_validate(
            {
                "number": number,
                "id": event.id,
                "kind": event.kind,
                "at": event.at,
                "profile_id": event.profile_id,
                "request": ArchivedRequest.of_domain(event.request),
                "matched": [
                    ArchivedMatch.of_domain(each, profile_id=profile_id, is_strong=is_strong)
                    for profile_id, each, is_strong in event.matched
                ],
                "rule": event.rule,
                "absorbed": [ArchivedPerson.of_domain(profile) for profile in event.absorbed],
                "added": _mentions(event.added),
                "removed": _mentions(event.removed),
                "evicted": _mentions(event.evicted),
                "before": ArchivedBefore.of_domain(event.before),
                "actor": ArchivedActor.of_domain(event.actor),
                "has_ended": event.has_ended,
                "undone_by": event.undone_by,
                "undid": list(event.undid),
                "parts": list(event.parts),
                "split_from": event.split_from,
            }
        )

    def to_domain(self) -> Event:
        return Event(
            self.id,
            self.kind,
            self.at,
            self.profile_id,
            self.request.to_domain(),
            tuple(Match(each.profile_id, each.to_domain(), each.is_strong) for each in self.matched),
            self.rule,
            tuple(each.to_domain() for each in self.absorbed),
            tuple(each.to_domain() for each in self.added),
            tuple(each.to_domain() for each in self.removed),
            tuple(each.to_domain() for each in self.evicted),
            self.before.to_domain(),
            None if self.actor is None else self.actor.to_domain(),
            self.has_ended,
            self.undone_by,
            tuple(self.undid),
            tuple(self.parts),
            self.split_from,
        )


class ArchivedSeparation(AnswerModel):
    """What a decision says of one ID, as `identity.history.separations.Separation` explains it."""

    id: ProfileId
    decision: UUID
    part: Annotated[int, Field(ge=0, lt=1 << 31)]
    is_lifted: bool = IfTrue
    decided_at: Time


def _mentions(identifiers: Iterable[NormalizedIdentifier]) -> list[ArchivedMention]:
    return [ArchivedMention.of_domain(each) for each in identifiers]
