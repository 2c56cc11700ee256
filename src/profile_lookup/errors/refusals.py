"""Well-formed requests that contradict what the store knows or may have."""

from collections.abc import Iterable

from profile_lookup.errors.root import ProfileLookupError

_MAX_NAMED = 5  # blocked values in one message


class IdentifierRefused(ProfileLookupError):
    pass


class UnknownIdentifierType(IdentifierRefused):
    """`configured` names the identifier types that the store knows."""

    def __init__(self, configured: tuple[str, ...]) -> None:
        super().__init__(f"idType: not configured in this store; expected one of {', '.join(configured)}")


class ValueRefused(IdentifierRefused):
    """`reason` says which rule of normalization the value broke, never the value."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"value: {reason}")
        self.reason = reason


class TraitsRefused(ProfileLookupError):
    pass


class TraitValueRefused(TraitsRefused):
    """`trait` is the trait's name, and `expected` says what its value should have been."""

    def __init__(self, trait: str, expected: str) -> None:
        super().__init__(f"traits.{trait}: {expected}")
        self.trait = trait
        self.expected = expected


class NothingUnblocked(TraitsRefused):
    """`blocked` names each trait, or column, with the reason why its value identifies nobody."""

    def __init__(self, blocked: Iterable[tuple[str, str]]) -> None:
        named = list(dict.fromkeys(f"{name} ({reason})" for name, reason in blocked))
        listed = named if len(named) <= _MAX_NAMED else [*named[:_MAX_NAMED], "…"]
        super().__init__(f"expected a value that identifies somebody; blocked: {', '.join(listed)}")


class SettingsRefused(ProfileLookupError):
    pass


class DefinitionProtected(ProfileLookupError):
    """`what` names the trait group or trait."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is there in every store: it can neither be removed nor become something else")


class StoreLimitReached(ProfileLookupError):
    def __init__(self, limit: int) -> None:
        super().__init__(f"This account already has {limit} stores, its limit")


class TraitGroupLimitReached(ProfileLookupError):
    def __init__(self, limit: int) -> None:
        super().__init__(f"This store already has {limit} trait groups, its limit")


class TraitLimitReached(ProfileLookupError):
    def __init__(self, limit: int) -> None:
        super().__init__(f"traits: expected at most {limit} in a trait group")
