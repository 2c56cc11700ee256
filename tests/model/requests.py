"""Writes to a store as data, both for the model and for the service."""

from dataclasses import dataclass
from typing import Any

Traits = dict[str, dict[str, Any]]
Json = dict[str, Any]

UNKNOWN_PROFILE = "mem_profile_00000000000000000000000000"


@dataclass(frozen=True)
class Http:
    """`path` begins with `/`. It is relative to the store in the data plane, or in the control plane if that is set."""

    method: str
    path: str
    body: Json | None = None
    is_control_plane: bool = False


@dataclass(frozen=True)
class CreateProfile:
    traits: Traits

    def http(self) -> Http:
        return Http("POST", "/Profiles", {"traits": self.traits})


@dataclass(frozen=True)
class PatchTraits:
    profile: str
    traits: Traits

    def http(self) -> Http:
        return Http("PATCH", f"/Profiles/{self.profile}", {"traits": self.traits})


@dataclass(frozen=True)
class EraseProfile:
    profile: str

    def http(self) -> Http:
        return Http("DELETE", f"/Profiles/{self.profile}")


@dataclass(frozen=True)
class AddIdentifier:
    profile: str
    id_type: str
    value: str

    def http(self) -> Http:
        body = {"idType": self.id_type, "value": self.value}
        return Http("POST", f"/Profiles/{self.profile}/Identifiers", body)


@dataclass(frozen=True)
class PatchIdentifier:
    profile: str
    id_type: str
    old_value: str
    new_value: str

    def http(self) -> Http:
        body = {"idType": self.id_type, "oldValue": self.old_value, "newValue": self.new_value}
        return Http("PATCH", f"/Profiles/{self.profile}/Identifiers/{self.id_type}", body)


@dataclass(frozen=True)
class RemoveIdentifiers:
    profile: str
    id_type: str
    remove_all: bool

    def http(self) -> Http:
        query = "?removeAll=true" if self.remove_all else ""
        return Http("DELETE", f"/Profiles/{self.profile}/Identifiers/{self.id_type}{query}")


@dataclass(frozen=True)
class PutSettings:
    document: Json

    def http(self) -> Http:
        return Http("PUT", "/IdentityResolutionSettings", self.document, is_control_plane=True)


@dataclass(frozen=True)
class CreateTraitGroup:
    name: str
    traits: Json

    def http(self) -> Http:
        body = {"displayName": self.name, "traits": self.traits}
        return Http("POST", "/TraitGroups", body, is_control_plane=True)


@dataclass(frozen=True)
class PatchTraitGroup:
    name: str
    traits: Json

    def http(self) -> Http:
        return Http("PATCH", f"/TraitGroups/{self.name}", {"traits": self.traits}, is_control_plane=True)


@dataclass(frozen=True)
class DeleteTraitGroup:
    name: str

    def http(self) -> Http:
        return Http("DELETE", f"/TraitGroups/{self.name}", is_control_plane=True)


Request = (
    CreateProfile
    | PatchTraits
    | EraseProfile
    | AddIdentifier
    | PatchIdentifier
    | RemoveIdentifiers
    | PutSettings
    | CreateTraitGroup
    | PatchTraitGroup
    | DeleteTraitGroup
)
