"""Handles the operation that tries a change of settings, and changes nothing.

It reads the profiles in the order of their IDs, a few per step, and notes the hash of each value that several profiles
might come to share. Then it merges on paper those that share one. No lock outlasts a step, so others write meanwhile:
each profile is judged as it was when it was read. If the store's rules change, the preview begins anew.
"""

import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.documents import Document, blocked_values_of, settings_of
from profile_lookup.database.tables import preview_form, preview_result
from profile_lookup.identity.settings_changes.renormalization import Collision, lost_values, one_person_each
from profile_lookup.identity.settings_changes.settings_change import SettingsChange
from profile_lookup.identity.settings_changes.settings_preview import Finding, Outcome, SettingsPreview
from profile_lookup.jobs.identifier_reader import (
    Identifiers,
    People,
    next_people,
    people_of,
    separations_of_people,
)
from profile_lookup.jobs.preview_collisions import (
    LostForms,
    StagedForm,
    lost_forms,
    mark_lost,
    stage_forms,
    staged_collisions,
)
from profile_lookup.operations.job import Job
from profile_lookup.operations.pieces import staged_file
from profile_lookup.operations.previews import PreviewResult, form_hash, record
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.stores.rules_lock import share_rules
from profile_lookup.web import ids

PROFILES_PER_STEP = 500
MAX_JUDGING = 0.05  # seconds of a step, in which the worker does nothing else
MERGED_PER_STEP = 500  # profiles

KEPT_APART = "separations: a profile from which this one is kept apart had this value first"


class _RulesChanged(Exception):
    """The store's settings or blocked values are not those with which the preview began."""


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
            groups, lost = await _record_collisions(job, tried)
            await _record_merges(job, tried, groups, lost)
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
            await stage_forms(connection, job, forms)
            count = await record(connection, job, job.progress["results"], results)
            position = {"is_read": True} if last is None else {"after": str(last)}
            await job.save(connection, **{**job.progress, "results": count, **position})


def _judged(
    operation_id: UUID, tried: _Tried, people: People
) -> tuple[list[StagedForm], list[PreviewResult], UUID | None]:
    """Judge profiles as far as there is time. Return the rows to stage, the results, and the last profile, if any."""
    deadline = time.monotonic() + MAX_JUDGING
    forms: list[StagedForm] = []
    results: list[PreviewResult] = []
    last = None
    for last, identifiers in people.items():
        reading = tried.preview.read(identifiers)
        since: Identifiers = {}
        for each, form in reading.forms.items():
            if form.id_type in tried.preview.colliding_types:
                since[form] = min(identifiers[each], since.get(form, identifiers[each]))
        forms += [StagedForm(each.id_type, form_hash(operation_id, each), last, at) for each, at in since.items()]
        results += [_result_of(operation_id, finding, [last]) for finding in reading.findings]
        if time.monotonic() > deadline:
            break
    return forms, results, last


def _result_of(operation_id: UUID, finding: Finding, profile_ids: Sequence[UUID]) -> PreviewResult:
    form = form_hash(operation_id, finding.identifier)
    return PreviewResult(finding.outcome, profile_ids, finding.identifier.id_type, form, finding.reason)


async def _record_collisions(job: Job, tried: _Tried) -> tuple[list[list[Collision[bytes]]], LostForms]:
    """Record what the collisions would refuse or remove.

    Return those by which profiles would merge, one list for each person, and what profiles lose. Both stay as they are
    if another worker goes on, also if somebody is separated meanwhile.
    """
    async with job.long_step() as connection:
        if "merged" not in job.progress:
            collisions = await staged_collisions(connection, job)
            refused = [each for each in collisions if tried.preview.why_refused(each.id_type)]
            lost = await _lost_values(connection, job, tried, collisions)
            await mark_lost(connection, job, lost)
            results = [_result_of_all(each, "refused", tried.preview.why_refused(each.id_type)) for each in refused]
            results += [_result_of_all(each, "removed", KEPT_APART) for each in lost]
            count = await record(connection, job, job.progress["results"], results)
            await job.save(connection, **{**job.progress, "results": count, "merged": 0})
        left = await staged_collisions(connection, job)
        merging = [each for each in left if not tried.preview.why_refused(each.id_type)]
        return _by_person(merging), await lost_forms(connection, job)


async def _lost_values(
    connection: AsyncConnection, job: Job, tried: _Tried, collisions: Sequence[Collision[bytes]]
) -> list[Collision[bytes]]:
    merging = [each for each in collisions if not tried.preview.why_refused(each.id_type)]
    colliding = {profile_id for each in merging for profile_id in each.profile_ids}
    separations = await separations_of_people(connection, job.store_id, colliding)
    return lost_values(tried.change.after.matching_rules, merging, separations)


def _result_of_all(collision: Collision[bytes], outcome: Outcome, reason: str | None) -> PreviewResult:
    return PreviewResult(outcome, collision.profile_ids, collision.id_type, collision.form, reason)


def _by_person(collisions: Sequence[Collision[bytes]]) -> list[list[Collision[bytes]]]:
    groups = one_person_each(each.profile_ids for each in collisions)
    person = {profile_id: min(group) for group in groups for profile_id in group}
    by_person: dict[UUID, list[Collision[bytes]]] = defaultdict(list)
    for each in collisions:
        by_person[person[each.profile_ids[0]]].append(each)
    return [by_person[each] for each in sorted(by_person)]


async def _record_merges(job: Job, tried: _Tried, groups: Sequence[list[Collision[bytes]]], lost: LostForms) -> None:
    while (done := job.progress["merged"]) < len(groups):
        async with _step(job, tried) as connection:
            taken = _some(groups[done:])
            profile_ids = {each for group in taken for collision in group for each in collision.profile_ids}
            people = await people_of(connection, job.store_id, sorted(profile_ids))
            people |= {each: _left(job.id, tried, people[each], lost[each]) for each in people.keys() & lost.keys()}
            results = [result for group in taken for result in _merge_results(job.id, tried, group, people)]
            count = await record(connection, job, job.progress["results"], results)
            await job.save(connection, **{**job.progress, "results": count, "merged": done + len(taken)})


def _left(operation_id: UUID, tried: _Tried, identifiers: Identifiers, lost: Collection[bytes]) -> Identifiers:
    """Return the identifiers that a profile has left once it has lost these forms."""
    forms = tried.preview.read(identifiers).forms
    gone = {each for each, form in forms.items() if form_hash(operation_id, form) in lost}
    return {each: at for each, at in identifiers.items() if each not in gone}


def _some(groups: Sequence[list[Collision[bytes]]]) -> list[list[Collision[bytes]]]:
    """Return as many groups as a step does, at least one."""
    taken: list[list[Collision[bytes]]] = []
    profiles = 0
    for group in groups:
        profiles += sum(len(each.profile_ids) for each in group)
        if taken and profiles > MERGED_PER_STEP:
            break
        taken.append(group)
    return taken


def _merge_results(
    operation_id: UUID, tried: _Tried, group: Sequence[Collision[bytes]], people: People
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
    content = await staged_file(connection, job)
    document: Document | None = json.loads(content) if content else None
    return document
