"""A store of the server for tests."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from profile_lookup.pytest_plugin.http_client import HttpClient

if TYPE_CHECKING:
    from profile_lookup.pytest_plugin.server import ProfileLookup


class Store:
    """A store. `id` names it in requests, and `server` is where it is."""

    def __init__(self, server: "ProfileLookup", http: HttpClient, store_id: str) -> None:
        self.server = server
        self.id = store_id
        self._http = http

    def create_profile(self, **contact: Any) -> str:
        """Create a profile with these traits of the group Contact, and return its ID: `phone="+13175556789"`."""
        created: str = self.request("POST", "/Profiles", {"traits": {"Contact": contact}})["id"]
        return created

    def look_up(self, id_type: str, value: str) -> list[str]:
        """Return the IDs of the profiles that the identifier names."""
        found: list[str] = self.request("POST", "/Profiles/Lookup", {"idType": id_type, "value": value})["profiles"]
        return found

    def look_up_batch(self, identifiers: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
        """Return a result for each pair of a type and a value: `normalizedValue` and `profiles`, or `error`."""
        sent = [{"idType": id_type, "value": value} for id_type, value in identifiers]
        results: list[dict[str, Any]] = self.request("POST", "/Profiles/Lookup/Batch", {"identifiers": sent})["results"]
        return results

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Send any request below `/v1/Stores/{storeId}`, and return the JSON of its answer.

        Raises `http_client.RequestFailed`.
        """
        return self._http.request(method, f"/v1/Stores/{self.id}{path}", body)

    def twilio_client(self) -> Any:
        """Return a `twilio.rest.Client` for the server: `store.twilio_client().memory.v1.lookup(store.id)`."""
        return self.server.twilio_client()
