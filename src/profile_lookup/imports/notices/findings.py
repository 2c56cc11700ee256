"""What an import finds while it applies rows, and keeps in its progress until the end.

A *mark* says where a value stands that the store has under many names. So no value is kept in between.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from profile_lookup.identity.change import Change
from profile_lookup.identity.profile_replay import Written
from profile_lookup.imports.notices.notice import MAX_NOTICES, Notice

if TYPE_CHECKING:
    from profile_lookup.identity.identifier import NormalizedIdentifier


class Mark(NamedTuple):
    """Where a value stands that was written under many names: the row's line, and the place among its identifiers."""

    line: int
    place: int


class Findings:
    """The marks of an import, of each value once as long as the process lives, and the rows by which limits evicted.

    `progress` is what earlier steps saved.
    """

    def __init__(self, progress: Mapping[str, Any]) -> None:
        self.marks = [Mark(*each) for each in progress.get("marks", ())]
        self._marked: set[NormalizedIdentifier] = set()
        self._evictions = {each["id_type"]: Notice.of_document(each) for each in progress.get("evictions", ())}

    def add(self, line: int, change: Change, written: Written) -> None:
        """Mark the values of an applied row that were written under many names, and count it if it evicted any."""
        for identifier in written.shared:
            if identifier not in self._marked and len(self.marks) < MAX_NOTICES:
                self._marked.add(identifier)
                self.marks.append(Mark(line, change.incoming.index(identifier)))
        for id_type in {each.id_type for each in written.evicted}:
            self._evictions.setdefault(id_type, Notice(id_type, kind="evicted")).add(line)

    @property
    def evictions(self) -> Sequence[Notice]:
        return list(self._evictions.values())

    def to_progress(self) -> dict[str, Any]:
        return {
            "marks": [list(each) for each in self.marks],
            "evictions": [each.to_document() for each in self._evictions.values()],
        }
