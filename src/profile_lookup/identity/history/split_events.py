"""The events of a split: one for each part."""

from collections.abc import Callable, Iterator
from datetime import datetime
from uuid import UUID

from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event import Before, Event
from profile_lookup.identity.history.splitting import Split
from profile_lookup.identity.identifier import NormalizedIdentifier


def events_of_split(
    done: Split,
    profile_id: UUID,
    undid: tuple[UUID, ...],
    at: datetime,
    actor: Actor,
    new_id: Callable[[], UUID],
    is_blocked: Callable[[NormalizedIdentifier], bool],
) -> Iterator[Event]:
    """Yield the event of the profile that was split, which has the ID of the split, and those of the other parts.

    What a part is not given back is removed if it is blocked. Otherwise somebody else has it by now, and it is evicted.
    """
    parts = tuple(part.profile.id for part in done.parts)
    for part in sorted(done.parts, key=lambda part: part.profile.id != profile_id):
        is_own = part.profile.id == profile_id
        removed = tuple(sorted(each for each in part.lost if is_blocked(each)))
        yield Event(
            done.id if is_own else new_id(),
            "split",
            at,
            part.profile.id,
            removed=removed,
            evicted=tuple(sorted(each for each in part.lost if each not in removed)),
            before=Before(lost=part.lost),
            actor=actor,
            undid=undid if is_own else (),
            parts=parts if is_own else (),
            split_from=None if is_own else profile_id,
        )
