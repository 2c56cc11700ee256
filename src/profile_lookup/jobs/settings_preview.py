"""Handles the operation that tries a change of settings, and changes nothing.

It reads the profiles in the order of their IDs, a few per step, and notes the hash of each value that several profiles
might come to share. Then it merges on paper those that share one. No lock outlasts a step, so others write meanwhile:
each profile is judged as it was when it was read. If the store's rules change, the preview begins anew.
"""

import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.documents import Document, blocked_values_of, settings_of
from profile_lookup.database.tables import preview_form, preview_result
from profile_lookup.identity.renormalization import one_person_each
from profile_lookup.identity.settings_change import SettingsChange
from profile_lookup.identity.settings_preview import Finding, SettingsPreview
from profile_lookup.jobs.identifier_reader import People, next_people, people_of
from profile_lookup.operations.job import Job
from profile_lookup.operations.pieces import staged_piece
from profile_lookup.operations.previews import PreviewResult, form_hash, record
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.stores.rules_lock import share_rules
from profile_lookup.web import ids

PROFILES_PER_STEP = 500
MAX_JUDGING = 0.05  # seconds of a step, in which the worker does nothing else
MERGED_PER_STEP = 500  # profiles

Form = tuple[str, bytes, UUID]
"""A type, the hash of a value that profiles might come to share, and a profile that would have it."""


class _RulesChanged(Exception):
    """The store's settings or blocked values are not those with which the preview began."""


@dataclass(frozen=True, slots=True)
class _Collision:
    """Profiles that would share a value of this type, of which `form` is the hash."""

    id_type: str
    form: bytes
    profile_ids: list[UUID]


@dataclass(frozen=True, slots=True)
class _Tried:
    """What is tried, and the versions of the rules with which it is compared."""

    preview: SettingsPreview
    change: SettingsChange
    versions: list[int]


async def preview_settings(job: Job) -> None:
    """Record what the settings of the job's input would do. Raises `StoreNotFound`."""
    while True:
        tried = await _begin(job)
        try:
            await _read_profiles(job, tried)
            groups = await _record_collisions(job, tried)
            await _record_merges(job, tried, groups)
            async with _step(job, tried) as connection:
                await job.complete(connection, ids.store_id(job.store_id))
                return
        except _RulesChanged:
            continue


async def _begin(job: Job) -> _Tried:
    """Return what is tried. Unless the rules are those of the saved progress, delete what was found by others."""
    async with job.long_step() as connection:
        store = await share_rules(connection, job.account_id, job.store_id)
        sent = await _sent_blocked_values(connection, job)
        change = SettingsChange(store.settings, settings_of(job.input["settings"]))
        blocked_values = store.blocked_values if sent is None else blocked_values_of(sent).adapted_to(store.settings)
        tried = _Tried(SettingsPreview(change, blocked_values, are_new=sent is not None), change, _versions(store))
        if job.progress.get("versions") != tried.versions:
            for table in (preview_form, preview_result):
                await connection.execute(
                    delete(table).where(table.c.account_id == job.account_id, table.c.operation_id == job.id)
                )
            await job.save(connection, versions=tried.versions, results=0)
    return tried


@asynccontextmanager
async def _step(job: Job, tried: _Tried) -> AsyncIterator[AsyncConnection]:
    async with job.step() as connection:
        if _versions(await share_rules(connection, job.account_id, job.store_id)) != tried.versions:
            raise _RulesChanged
        yield connection


def _versions(store: StoreRules) -> list[int]:
    return [store.settings_version, store.blocked_values_version]


async def _read_profiles(job: Job, tried: _Tried) -> None:
    while not job.progress.get("is_read"):
        async with _step(job, tried) as connection:
            after = UUID(job.progress.get("after", str(UUID(int=0))))
            people = await next_people(connection, job.store_id, after, PROFILES_PER_STEP)
            forms, results, last = _judged(job.id, tried, people)
            await _stage(connection, job, forms)
            count = await record(connection, job, job.progress["results"], results)
            position = {"is_read": True} if last is None else {"after": str(last)}
            await job.save(connection, **{**job.progress, "results": count, **position})


def _judged(operation_id: UUID, tried: _Tried, people: People) -> tuple[list[Form], list[PreviewResult], UUID | None]:
    """Judge profiles as far as there is time. Return the rows to stage, the results, and the last profile, if any."""
    deadline = time.monotonic() + MAX_JUDGING
    forms: list[Form] = []
    results: list[PreviewResult] = []
    last = None
    for last, identifiers in people.items():
        reading = tried.preview.read(identifiers)
        colliding = {each for each in reading.forms.values() if each.id_type in tried.preview.colliding_types}
        forms += [(each.id_type, form_hash(operation_id, each), last) for each in colliding]
        results += [_result_of(operation_id, finding, [last]) for finding in reading.findings]
        if time.monotonic() > deadline:
            break
    return forms, results, last


def _result_of(operation_id: UUID, finding: Finding, profile_ids: Sequence[UUID]) -> PreviewResult:
    form = form_hash(operation_id, finding.identifier)
    return PreviewResult(finding.outcome, profile_ids, finding.identifier.id_type, form, finding.reason)


async def _record_collisions(job: Job, tried: _Tried) -> list[list[_Collision]]:
    """Record the collisions that the change would refuse, and return the others: one list for each person."""
    async with job.long_step() as connection:
        rows = (await connection.execute(_COLLISIONS, _key(job))).all()
        collisions = [_Collision(row.id_type, bytes(row.form), row.profile_ids) for row in rows]
        refused, merging = [], []
        for each in collisions:
            if reason := tried.preview.why_refused(each.id_type):
                refused.append(PreviewResult("refused", each.profile_ids, each.id_type, each.form, reason))
            else:
                merging.append(each)
        if "merged" not in job.progress:
            count = await record(connection, job, job.progress["results"], refused)
            await job.save(connection, **{**job.progress, "results": count, "merged": 0})
    return _by_person(merging)


def _by_person(collisions: Iterable[_Collision]) -> list[list[_Collision]]:
    collisions = list(collisions)
    groups = one_person_each([each.profile_ids for each in collisions])
    person = {profile_id: min(group) for group in groups for profile_id in group}
    by_person: dict[UUID, list[_Collision]] = defaultdict(list)
    for each in collisions:
        by_person[person[each.profile_ids[0]]].append(each)
    return [by_person[each] for each in sorted(by_person)]


async def _record_merges(job: Job, tried: _Tried, groups: Sequence[list[_Collision]]) -> None:
    while (done := job.progress["merged"]) < len(groups):
        async with _step(job, tried) as connection:
            taken = _some(groups[done:])
            profile_ids = {each for group in taken for collision in group for each in collision.profile_ids}
            people = await people_of(connection, job.store_id, sorted(profile_ids))
            results = [result for group in taken for result in _merge_results(job.id, tried, group, people)]
            count = await record(connection, job, job.progress["results"], results)
            await job.save(connection, **{**job.progress, "results": count, "merged": done + len(taken)})


def _some(groups: Sequence[list[_Collision]]) -> list[list[_Collision]]:
    """Return as many groups as a step does, at least one."""
    taken: list[list[_Collision]] = []
    profiles = 0
    for group in groups:
        profiles += sum(len(each.profile_ids) for each in group)
        if taken and profiles > MERGED_PER_STEP:
            break
        taken.append(group)
    return taken


def _merge_results(
    operation_id: UUID, tried: _Tried, group: Sequence[_Collision], people: People
) -> Iterable[PreviewResult]:
    """Yield that these profiles would merge, by the value of the earliest rule, and what that would evict."""
    rules = tried.change.after.matching_rules
    by = min(group, key=lambda each: rules.index(each.id_type))
    profile_ids = sorted({profile_id for each in group for profile_id in each.profile_ids})
    yield PreviewResult("merge", profile_ids, by.id_type, by.form)
    for finding, holders in tried.preview.evictions({each: people[each] for each in profile_ids if each in people}):
        yield _result_of(operation_id, finding, holders)


async def _sent_blocked_values(connection: AsyncConnection, job: Job) -> Document | None:
    """Return the document of the blocked values that are tried. It is a file, since the job's input has no values."""
    pieces: list[bytes] = []
    while piece := await staged_piece(connection, job, len(pieces)):
        pieces.append(piece)
    document: Document | None = json.loads(b"".join(pieces)) if pieces else None
    return document


def _key(job: Job) -> dict[str, object]:
    return {"account_id": job.account_id, "operation_id": job.id}


async def _stage(connection: AsyncConnection, job: Job, forms: Sequence[Form]) -> None:
    id_types, hashes, profile_ids = zip(*forms, strict=True) if forms else ((), (), ())
    arrays = {"id_types": id_types, "forms": hashes, "profile_ids": profile_ids}
    await connection.execute(_STAGE, _key(job) | arrays)


_STAGE = text("""
    insert into preview_form (account_id, operation_id, id_type, form, profile_id)
    select :account_id, :operation_id, staged.*
    from unnest(cast(:id_types as text[]), cast(:forms as bytea[]), cast(:profile_ids as uuid[])) as staged
""")

_COLLISIONS = text("""
    select id_type, form, array_agg(profile_id order by profile_id) as profile_ids
    from preview_form
    where account_id = :account_id and operation_id = :operation_id
    group by id_type, form
    having count(*) > 1
    order by id_type, form
""")
