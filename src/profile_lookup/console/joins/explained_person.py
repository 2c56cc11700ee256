"""A person, and all that a page says of why it is one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from profile_lookup.console.graph.drawing import drawing_of
from profile_lookup.console.graph.join_graph import join_graph_of
from profile_lookup.console.graph.shapes import Drawing
from profile_lookup.console.joins.join_list import JoinsByIdentifier, joins_by_identifier
from profile_lookup.console.people import name_of
from profile_lookup.identity.history.explanation import Explanation, explanation_of
from profile_lookup.identity.history.splitting import Person
from profile_lookup.identity.rules import IdentityResolutionSettings


@dataclass(frozen=True)
class ExplainedPerson:
    """A person with its explanation, the drawing of it, and the list of its joins."""

    person: Person
    explanation: Explanation
    drawing: Drawing | None
    groups: Sequence[JoinsByIdentifier]

    @classmethod
    def of(cls, settings: IdentityResolutionSettings, person: Person) -> Self:
        """Return what a page says of a person. There is a drawing if at least two records are linked."""
        explanation = explanation_of(settings, person)
        graph = join_graph_of(person, explanation)
        drawing = drawing_of(graph) if graph.records else None
        return cls(person, explanation, drawing, joins_by_identifier(explanation))

    @property
    def name(self) -> str:
        """The person's name; empty if it has none."""
        return name_of(self.person.profile.traits)
