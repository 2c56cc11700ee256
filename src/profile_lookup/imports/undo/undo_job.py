"""Handles the operation that undoes an import, some hundreds of profiles a step.

First, profiles that the import created and that nobody else has touched are erased. Then the import's events tell whom
else it changed. Each step is a transaction that saves where to go on, so that nobody is undone twice. A dry run does
the same under the same locks, and writes nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.database.ids import new_id
from profile_lookup.identity.difference import Difference
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.import_undo import UndoneImport, first_event, identifiers_of_undo
from profile_lookup.identity.history.undone_people import ImportUndo, Undone
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.imports.undo.import_events import lock_created, next_changed, next_created, touched
from profile_lookup.imports.undo.people import LockedPeople, holders_of, locked_people
from profile_lookup.imports.undo.undo_rows import write_people
from profile_lookup.ingest.attempts import MAX_KEYS_TOGETHER
from profile_lookup.ingest.identity_locks import CandidateMoved, lock_and_gather, write_in_step
from profile_lookup.ingest.locked_profiles import is_defined
from profile_lookup.ingest.profile_erasure import erase_profiles
from profile_lookup.ingest.writes import write
from profile_lookup.operations.job import Job
from profile_lookup.operations.undo_results import UndoResult, record
from profile_lookup.stores.rules_cache import StoreRules

if TYPE_CHECKING:
    from uuid import UUID

ERASED_PER_STEP = 500
EVENTS_PER_STEP = 200
"""A step takes some tens of milliseconds, during which only requests about these very profiles wait for it."""


async def undo_import(job: Job) -> None:
    """Undo the import that the job's input names. Raises `StoreNotFound`; what is undone stays so."""
    if not job.progress:
        async with job.step() as connection:
            await job.save(connection, after=job.input["after"], is_erased=False, results=0, counts={})
    while not job.progress["is_erased"]:
        await write_in_step(job, lambda connection, store: _erase_next(connection, store, job))
    is_left = True
    while is_left:
        step = _Step(job)
        is_left = await write_in_step(job, step.undo_next)
    async with job.step() as connection:
        await job.complete(connection, job.input["import_id"])


async def _erase_next(connection: AsyncConnection, store: StoreRules, job: Job) -> None:
    """Erase the next profiles that the import created and that nobody else has touched."""
    profile_ids, last = await next_created(connection, job, ERASED_PER_STEP)
    if not profile_ids:
        await job.save(connection, **job.progress | {"is_erased": True, "after": job.input["after"]})
        return
    if not job.input["is_dry_run"]:
        await lock_and_gather(connection, store)
        profile_ids = await lock_created(connection, job, profile_ids)
        await erase_profiles(connection, store.id, profile_ids)
        now = CLOCK.now()
        erasures = [Event(new_id(), "erased", now, each, actor=job.actor) for each in profile_ids]
        await write(connection, store, Difference(events=erasures))
    await _save(connection, job, last, [UndoResult("erased", [each]) for each in profile_ids])


class _Step:
    """The next step of an undo, which starts over until it holds all locks that it needs.

    - `returning`: identifiers that may come back, whose keys are locked
    - `others`: profiles that hold some of these, and that the import has changed, too
    - `limit`: how many events it takes, at most
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._import = UndoneImport(job.input["import_id"], datetime.fromisoformat(job.input["began_at"]))
        self._returning: set[NormalizedIdentifier] = set()
        self._others: set[UUID] = set()
        self._limit = EVENTS_PER_STEP

    async def undo_next(self, connection: AsyncConnection, store: StoreRules) -> bool:
        """Undo the next events with all other events of their people, and return whether there were any.

        Raises `RulesChanged` or `CandidateMoved`.
        """
        job = self._job
        profile_ids, last = await next_changed(connection, job, self._limit)
        if not profile_ids:
            return False
        try:
            locked = await locked_people(connection, store, self._others.union(profile_ids), self._returning)
        except CandidateMoved:
            self._others.clear()  # one of them may have been erased
            raise
        undone = [each for each in await self._undone(connection, store, locked) if self._is_next(locked, each, last)]
        if not job.input["is_dry_run"]:
            left = [(each.person, each.left) for each in undone if not isinstance(each.left, str)]
            await write_people(connection, store, left, locked.numbers, CLOCK.now(), job.actor)
        await _save(connection, job, last, [result for each in undone for result in _results_of(each)])
        return True

    def _is_next(self, locked: LockedPeople, undone: Undone, last: int) -> bool:
        """Return whether this step is the one that undoes a person, and not an earlier one, nor a later one.

        Whoever stays as it is, also in a dry run, keeps the import's events, and so a later step comes to them again.
        """
        first = first_event(undone.person, self._import)
        number = None if first is None else locked.numbers.get(first.id)
        if number is None or number <= self._job.progress["after"]:
            return False
        keeps_events = self._job.input["is_dry_run"] or isinstance(undone.left, str)
        return number <= last or not keeps_events

    async def _undone(self, connection: AsyncConnection, store: StoreRules, locked: LockedPeople) -> list[Undone]:
        """Return what is left of the people. Raises `CandidateMoved` if that depends on what is not locked."""
        people = locked.people.values()
        may_return = {each for person in people for each in identifiers_of_undo(person, self._import)}
        if not may_return <= self._returning:
            self._start_over(may_return, is_divisible=len(locked.people) > 1)
        holders = await holders_of(connection, store, may_return)
        others = set(holders.values()) - locked.people.keys()
        if others and (changed := await touched(connection, self._job, others)):
            self._others.update(changed)
            raise CandidateMoved
        undo = ImportUndo(
            store.settings,
            self._import,
            self._job.id,
            partial(_is_blocked, store),
            partial(is_defined, store.trait_groups),
        )
        return list((await asyncio.to_thread(undo.undone, locked.people, holders)).values())

    def _start_over(self, may_return: Collection[NormalizedIdentifier], *, is_divisible: bool) -> None:
        """Let the next attempt lock these identifiers, or take fewer events if they are too many for one transaction.

        `is_divisible`: they are of several people. All that is one person is undone at once. Raises `CandidateMoved`.
        """
        if len(may_return) > MAX_KEYS_TOGETHER and is_divisible and self._limit > 1:
            self._limit = max(self._limit * MAX_KEYS_TOGETHER // len(may_return), 1)
            self._returning.clear()
        else:
            self._returning.update(may_return)
        raise CandidateMoved


def _is_blocked(store: StoreRules, identifier: NormalizedIdentifier) -> bool:
    is_configured = identifier.id_type in store.settings.id_types
    return is_configured and store.blocked_values.block(store.settings, identifier) is not None


def _results_of(undone: Undone) -> list[UndoResult]:
    if isinstance(undone.left, str):
        return [UndoResult("left", [undone.person.profile.id], undone.left)]
    return [UndoResult(*each) for each in undone.left.findings(undone.missing)]


async def _save(connection: AsyncConnection, job: Job, last: int, results: Sequence[UndoResult]) -> None:
    """Save the results, their counts, and the number of the last event that is done."""
    progress = job.progress
    await record(connection, job, progress["results"], results)
    counts = Counter(progress["counts"]) + Counter(each.outcome for each in results)
    await job.save(
        connection, **progress | {"after": last, "results": progress["results"] + len(results), "counts": dict(counts)}
    )
