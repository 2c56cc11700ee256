"""A notice, and the rows that it is about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

MAX_NOTICES = 100
MAX_FIRST_LINES = 3

NoticeKind = Literal["sharedValue", "evicted", "unlikelyColumn"]


@dataclass(slots=True)
class Notice:
    """What stood in some rows of a file, and the first of their lines.

    - `kind`: `sharedValue` if one value of this type stood in all these rows; `evicted` if a limit dropped identifiers
      of this type when they were applied; `unlikelyColumn` if their cells do not fit the trait of their column
    - `names`: under how many names the value stood there; 0 for a placeholder
    - `column`: the unlikely column's name
    """

    id_type: str
    rows: int = 0
    first_lines: list[int] = field(default_factory=list)
    names: int = 0
    kind: NoticeKind = "sharedValue"
    column: str | None = None

    def add(self, line: int) -> None:
        self.rows += 1
        if len(self.first_lines) < MAX_FIRST_LINES:
            self.first_lines.append(line)

    def to_document(self) -> dict[str, Any]:
        document = {"id_type": self.id_type, "rows": self.rows, "first_lines": self.first_lines, "names": self.names}
        return document | {"kind": self.kind} | ({} if self.column is None else {"column": self.column})

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> "Notice":
        """Return the notice of a document. One that an earlier version wrote has no kind: it is about a value."""
        return cls(**document)
