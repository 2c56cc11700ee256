"""Blocked values as a form: for each identifier type, a text with one value or pattern in each line."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from profile_lookup.blocked_values.wire import BlockedValuesBody
from profile_lookup.console.forms import Form
from profile_lookup.console.refusals import Refusal
from profile_lookup.console.rules.form_fields import filled, number
from profile_lookup.identity.blocked_values import BlockedValues

PARTS = {"values": "value", "patterns": "pattern", "allowed": "value"}
"""The lists of the document, and the member that an entry has beside its `idType`."""

_POSITION = re.compile(r"(values|patterns|allowed)\.([0-9]+)(?:\.\w+)?")


@dataclass(frozen=True, slots=True)
class BlockedValuesForm:
    """`texts` are the texts of the fields: of `values.email`, for example. `kept` are values that no line can hold."""

    built_in: bool
    max_profiles_per_value: str
    texts: dict[str, str]
    kept: dict[str, list[dict[str, str]]]

    @classmethod
    def typed(cls, form: Form, id_types: Sequence[str], stored: BlockedValues) -> "BlockedValuesForm":
        names = [f"{part}.{id_type}" for part in PARTS for id_type in id_types]
        texts = {name: form.text(name).replace("\r\n", "\n") for name in names}
        return cls(form.text("builtIn") == "true", form.text("maxProfilesPerValue"), texts, _kept(_body(stored)))

    @classmethod
    def stored(cls, stored: BlockedValues) -> "BlockedValuesForm":
        body = _body(stored)
        texts: dict[str, str] = {}
        for part, member in PARTS.items():
            for each in body[part]:
                if "\n" not in each[member]:
                    name = f"{part}.{each['idType']}"
                    texts[name] = f"{texts.get(name, '')}{each[member]}\n"
        return cls(stored.built_in, str(stored.max_profiles_per_value or ""), texts, _kept(body))

    def document(self) -> dict[str, Any]:
        """Return the body of the API's request."""
        lists = {part: [*(entry for _, entry in self._entries(part)), *self.kept[part]] for part in PARTS}
        limit = filled(maxProfilesPerValue=number(self.max_profiles_per_value))
        return {"builtIn": self.built_in, **lists, **limit}

    def located(self, refusal: Refusal) -> Refusal:
        """Return the refusal with the name of a field, and the line, instead of the position in a list of the API."""
        found = _POSITION.fullmatch(refusal.field)
        entries = list(self._entries(found[1])) if found else []
        if found is None or int(found[2]) >= len(entries):
            return refusal
        line, entry = entries[int(found[2])]
        field = f"{found[1]}.{entry['idType']}"
        return refusal._replace(field=field, reason=f"line {line}: {refusal.reason}")

    def _entries(self, part: str) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the entries of a list, each with the number of its line."""
        for name, text in self.texts.items():
            list_name, id_type = name.split(".", 1)
            if list_name == part:
                for line, content in enumerate(text.split("\n"), 1):
                    if content.strip():
                        yield line, {"idType": id_type, PARTS[part]: content}


def comparable(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document whose lists are grouped by identifier type, so that two versions can be compared."""
    grouped: dict[str, Any] = {"builtIn": document["builtIn"]}
    grouped |= filled(maxProfilesPerValue=document.get("maxProfilesPerValue", ""))
    for part, member in PARTS.items():
        for each in document[part]:
            grouped.setdefault(f"{part} · {each['idType']}", []).append(each[member])
    return grouped


def comparable_blocked_values(stored: BlockedValues) -> dict[str, Any]:
    return comparable(_body(stored))


def _body(stored: BlockedValues) -> dict[str, Any]:
    return BlockedValuesBody.of_domain(stored).model_dump(by_alias=True, exclude_none=True)


def _kept(body: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    return {part: [each for each in body[part] if "\n" in each[member]] for part, member in PARTS.items()}
