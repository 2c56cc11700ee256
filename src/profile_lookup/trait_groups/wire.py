"""The JSON bodies of trait groups."""

from dataclasses import asdict
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError
from sqlalchemy import Row

from profile_lookup.database.documents import trait_group_of
from profile_lookup.errors import DefinitionRefused
from profile_lookup.identity import trait_definitions as domain
from profile_lookup.identity.trait_definitions import MAX_NAME, MAX_TRAITS, RULE_OF_TYPE, DataType
from profile_lookup.identity.values.patterns import MAX_PATTERN
from profile_lookup.web.wire import AnswerModel, MayBeAbsent, Meta, Storable, WireModel

Text = Annotated[str, Field(max_length=1024), Storable]
Pattern = Annotated[str, Field(max_length=MAX_PATTERN), Storable]
IdType = Annotated[str, Field(max_length=30)]
Count = Annotated[int, Field(ge=0)]
Length = Annotated[int, Field(ge=1)]
Bound = Annotated[float, Field(allow_inf_nan=False)]


class StringRuleBody(WireModel):
    rule_type: Literal["STRING"]
    pattern: Annotated[Pattern | None, MayBeAbsent] = Field(
        default=None, description="A regular expression in RE2's syntax. Unless it is anchored, it may match anywhere."
    )
    min_length: Annotated[Count | None, MayBeAbsent] = None
    max_length: Annotated[Length | None, MayBeAbsent] = None


class NumberRuleBody(WireModel):
    rule_type: Literal["NUMBER"]
    # Python parses 1e999 as infinity, which JSON cannot express.
    min: Annotated[Bound | None, MayBeAbsent] = None
    max: Annotated[Bound | None, MayBeAbsent] = None


class BooleanRuleBody(WireModel):
    rule_type: Literal["BOOLEAN"]


class ArrayRuleBody(WireModel):
    rule_type: Literal["ARRAY"]
    min_items: Annotated[Count | None, MayBeAbsent] = None
    max_items: Annotated[Count | None, MayBeAbsent] = None


ValidationRuleBody = Annotated[
    StringRuleBody | NumberRuleBody | BooleanRuleBody | ArrayRuleBody, Field(discriminator="rule_type")
]

_WIRE_RULES: dict[DataType, Any] = {
    "STRING": StringRuleBody,
    "NUMBER": NumberRuleBody,
    "BOOLEAN": BooleanRuleBody,
    "ARRAY": ArrayRuleBody,
}


class TraitDefinitionBody(WireModel):
    data_type: Literal["STRING", "NUMBER", "BOOLEAN", "ARRAY", ""] = Field(
        description="`NUMBER` is a 32-bit integer, `ARRAY` a flat array. In a PATCH, an empty string removes the trait."
    )
    description: Annotated[Text | None, MayBeAbsent] = None
    validation_rule: Annotated[ValidationRuleBody | None, MayBeAbsent] = Field(
        default=None, description="Its `ruleType` is the `dataType`. It applies from the next write on."
    )
    id_type_promotion: Annotated[IdType | None, MayBeAbsent] = Field(
        default=None, description="The identifier type that this trait's values are promoted to."
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_rule_is_absent(cls, sent: Any) -> Any:
        """Remove a rule that is nothing but an empty type: the Go SDK sends it where its caller set no rule."""
        if isinstance(sent, dict) and sent.get("validationRule") == {"ruleType": ""}:
            return {name: value for name, value in sent.items() if name != "validationRule"}
        return sent

    @classmethod
    def of_domain(cls, definition: domain.TraitDefinition) -> "TraitDefinitionBody":
        rule = definition.validation_rule
        return cls.model_construct(
            data_type=definition.data_type,
            description=definition.description,
            validation_rule=None
            if rule is None
            else _WIRE_RULES[definition.data_type].model_construct(rule_type=definition.data_type, **asdict(rule)),
            id_type_promotion=definition.id_type_promotion,
        )

    def to_domain(self) -> domain.TraitDefinition | None:
        """Return the definition, or None if the trait is to be removed. Raises `DefinitionRefused`."""
        if self.data_type == "":
            return None
        rule: domain.ValidationRule | None = None
        if (sent := self.validation_rule) is not None:
            rule = RULE_OF_TYPE[sent.rule_type](**sent.model_dump(exclude={"rule_type"}))
        if isinstance(rule, domain.StringRule):
            rule.refuse_bad_pattern()
        return domain.TraitDefinition(self.data_type, self.id_type_promotion, self.description, rule)


TraitDefinitions = Annotated[dict[str, TraitDefinitionBody], Field(json_schema_extra={"maxProperties": MAX_TRAITS})]


class TraitGroupRequest(WireModel):
    display_name: str = Field(
        min_length=1,
        max_length=MAX_NAME,
        pattern=r"^[a-zA-Z0-9_\-\.]+$",
        description="Unique within the store.",
        examples=["Billing"],
    )
    description: Annotated[Text | None, MayBeAbsent] = None
    traits: Annotated[TraitDefinitions | None, MayBeAbsent] = None

    def to_domain(self) -> domain.TraitGroup:
        """Return the trait group. Raises `DefinitionRefused` or `TraitLimitReached`."""
        definitions = {}
        for name, sent in (self.traits or {}).items():
            definition = sent.to_domain()
            if definition is None:
                raise DefinitionRefused("dataType: expected STRING, NUMBER, BOOLEAN or ARRAY")
            definitions[name] = definition
        return domain.TraitGroup(self.display_name, definitions)


class TraitGroupPatch(WireModel):
    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    description: Annotated[Text | None, MayBeAbsent] = None
    traits: Annotated[TraitDefinitions | None, MayBeAbsent] = Field(
        default=None, description="Each definition replaces that of the trait with its name, or is added."
    )

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing_to_change", "Expected description or traits")
        return self

    def changes(self) -> dict[str, domain.TraitDefinition | None]:
        """Return the definitions by trait; None removes a trait. Raises `DefinitionRefused`."""
        return {name: definition.to_domain() for name, definition in (self.traits or {}).items()}


class TraitGroupAnswer(AnswerModel):
    display_name: str = Field(examples=["Billing"])
    description: str | SkipJsonSchema[None] = None
    traits: dict[str, TraitDefinitionBody] | SkipJsonSchema[None] = None
    version: int = Field(ge=1, description="It counts the changes.")

    @classmethod
    def of_row(cls, row: Row[Any], *, with_traits: bool) -> Self:
        group = trait_group_of(row.name, row.traits)
        return cls(
            display_name=row.name,
            description=row.description,
            traits={name: TraitDefinitionBody.of_domain(each) for name, each in group.traits.items()}
            if with_traits
            else None,
            version=row.version,
        )


class FetchTraitGroupAnswer(AnswerModel):
    trait_group: TraitGroupAnswer
    meta: Meta


class TraitGroupList(AnswerModel):
    trait_groups: list[TraitGroupAnswer] = Field(max_length=50)
    meta: Meta
