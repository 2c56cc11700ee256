"""What a split is asked to undo, and the operation that does it later if the profile has too many events."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.documents import Document
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.identifier import Identifier
from profile_lookup.operations.job import Job
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.pieces import stage_file, staged_file
from profile_lookup.operations.queue import enqueue
from profile_lookup.operations.quotas import Quotas, refuse_beyond_queue_quota
from profile_lookup.stores.rules_cache import StoreRules


@dataclass(frozen=True, slots=True)
class SplitRequest:
    """What is to be undone. Values are personal data, so they are in no message.

    - `events`: the joins
    - `actor`: who asks for it
    - `keeps_apart`: the parts never become one person again
    - `block`: values that identify nobody from now on
    - `is_dry_run`: nothing is written
    - `if_match`: the ETags that the profile may have
    """

    events: Sequence[UUID]
    actor: Actor
    keeps_apart: bool = True
    block: Sequence[Identifier] = ()
    is_dry_run: bool = False
    if_match: str | None = None

    @property
    def blocks(self) -> bool:
        """Whether the store's blocked values change."""
        return bool(self.block) and not self.is_dry_run


async def enqueue_split(
    connection: AsyncConnection, store: StoreRules, profile_id: UUID, request: SplitRequest, quotas: Quotas
) -> UUID:
    """Let a worker do the split, and return the ID of its operation. Raises `TooManyOperations`.

    The request is saved as a file, which is deleted when the operation ends, since it may hold values.
    """
    await refuse_beyond_queue_quota(connection, store.account_id, store.id, quotas)
    job_input = {"profile_id": str(profile_id), "is_dry_run": request.is_dry_run}
    operation = await enqueue(
        connection, store.account_id, store.id, kind=OperationKind.SPLIT_PROFILE, job_input=job_input
    )
    document = json.dumps(_document_of(request))
    await stage_file(connection, store.account_id, operation, io.BytesIO(document.encode()))
    return operation


async def staged_split(connection: AsyncConnection, job: Job) -> tuple[UUID, SplitRequest]:
    """Return the ID of the profile, and what a split is asked to undo."""
    document = json.loads(await staged_file(connection, job))
    return UUID(job.input["profile_id"]), _request_of(document)


def _document_of(request: SplitRequest) -> Document:
    actor = request.actor
    return {
        "events": [each.hex for each in request.events],
        "actor": [actor.type, actor.id, actor.line],
        "keeps_apart": request.keeps_apart,
        "block": [[each.id_type, each.value] for each in request.block],
        "is_dry_run": request.is_dry_run,
        "if_match": request.if_match,
    }


def _request_of(document: Document) -> SplitRequest:
    return SplitRequest(
        [UUID(each) for each in document["events"]],
        Actor(*document["actor"]),
        document["keeps_apart"],
        [Identifier(*each) for each in document["block"]],
        document["is_dry_run"],
        document["if_match"],
    )
