"""What a change of settings would do to stored identifiers, decided profile by profile, without changing anything.

It predicts `jobs/renormalization.py`, and what `jobs/blocked_values.py` then removes. If other blocked values are to be
tried too, they are in force before the settings change, and what they block is removed by then.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.blocked_values import BlockedValues
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.merging import united_identifiers
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.retention import retained
from profile_lookup.identity.settings_changes.renormalization import rewritten
from profile_lookup.identity.settings_changes.settings_change import SettingsChange

Outcome = Literal["merge", "refused", "removed"]

Identifiers = Mapping[NormalizedIdentifier, datetime]
"""The identifiers of a profile, each with the time when it was added."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What would happen to one value. `reason` is for people and never carries a value.

    `identifier` has the form that the value would get, or the one that it is stored in if it would get none.
    """

    outcome: Outcome
    identifier: NormalizedIdentifier
    reason: str


@dataclass(slots=True)
class Reading:
    """What the change would do to the identifiers of one profile alone.

    - `forms`: the form of each identifier that the change finds and keeps
    - `findings`: what would be refused or removed. Some of these have a form too: they are removed after the merges
    """

    forms: dict[NormalizedIdentifier, NormalizedIdentifier] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


class SettingsPreview:
    """A change of settings that is tried. `are_new`: the blocked values are tried too, and are not in force."""

    def __init__(self, change: SettingsChange, blocked_values: BlockedValues, *, are_new: bool) -> None:
        self._change = change
        self._blocked_before = blocked_values if are_new else None
        self._blocked_after = blocked_values.adapted_to(change.after)
        self._removed_types = frozenset(change.removed)
        self._renormalized = frozenset(change.renormalized)
        self.colliding_types = frozenset(
            id_type for id_type in {*change.renormalized, *change.made_unique} if change.after.is_unique(id_type)
        )
        """The types whose values profiles may not share, and that they may come to share by the change."""

    def read(self, identifiers: Iterable[NormalizedIdentifier]) -> Reading:
        """Return what the change would do to the identifiers of one profile, as long as nobody else is looked at."""
        reading = Reading()
        for each in identifiers:
            form, finding = self._judged(each)
            if finding is not None and finding not in reading.findings:  # two values may become the same one
                reading.findings.append(finding)
            if form is not None:
                reading.forms[each] = form
        return reading

    def why_refused(self, id_type: str) -> str | None:
        """Return why profiles may not come to share a value of this type; None if they would be merged."""
        if id_type in self._change.made_unique:
            return f"enforceUnique: several profiles would share this value of {id_type}; expected one"
        if id_type not in self._change.after.matching_rules:
            return f"matchingRules: several profiles would share this value, and {id_type} is no rule that merges them"
        return None

    def evictions(self, people: Mapping[UUID, Identifiers]) -> list[tuple[Finding, Sequence[UUID]]]:
        """Return what the limits would drop when these profiles merge, each with the profiles that have it now."""
        profiles, removed = [], set[NormalizedIdentifier]()
        for profile_id in sorted(people):
            reading = self.read(people[profile_id])
            kept = {each: at for each, at in people[profile_id].items() if each in reading.forms}
            profiles.append(rewritten(Profile(profile_id, kept, {}), reading.forms))
            removed |= {finding.identifier for finding in reading.findings}
        united = united_identifiers(profiles)
        dropped = united.keys() - retained(self._change.after, united, ()).keys() - removed
        return [
            (self._eviction(each), [profile.id for profile in profiles if each in profile.identifiers])
            for each in sorted(dropped)
        ]

    def _eviction(self, identifier: NormalizedIdentifier) -> Finding:
        limit = self._change.after.config(identifier.id_type).limit
        return Finding("removed", identifier, f"limit: a profile keeps at most {limit} of {identifier.id_type}")

    def _judged(self, stored: NormalizedIdentifier) -> tuple[NormalizedIdentifier | None, Finding | None]:
        """Return the form of a stored identifier that the change finds and keeps, and what is refused or removed."""
        lost = self._lost_before(stored)
        if lost is not None:
            return None, lost
        if stored.id_type not in self._renormalized:
            return stored, self._blocked_later(stored)
        try:
            form = self._change.after.normalize(Identifier(*stored))
        except ValueRefused as refused:
            return None, Finding("refused", stored, f"normalization: {refused.reason}")
        blocked = self._blocked_later(form)
        # A blocked value that gets another form merges nobody; one that has it already is removed after the merges.
        return None if blocked is not None and form != stored else form, blocked

    def _lost_before(self, stored: NormalizedIdentifier) -> Finding | None:
        """Return that the identifier is blocked before the settings change, or that its type may not be removed."""
        block = self._blocked_before and self._blocked_before.block(self._change.before, stored)
        if block:
            return Finding("removed", stored, f"blockedValues: {block.reason}")
        if stored.id_type in self._removed_types:
            reason = f"identifierConfigs: identifiers of {stored.id_type} are stored; expected this type to stay"
            return Finding("refused", stored, reason)
        return None

    def _blocked_later(self, form: NormalizedIdentifier) -> Finding | None:
        """Return that the identifier is blocked after the change, if that has blocked values looked for at all."""
        block = self._blocked_after.block(self._change.after, form) if self._renormalized else None
        return None if block is None else Finding("removed", form, f"blockedValues: {block.reason}")
