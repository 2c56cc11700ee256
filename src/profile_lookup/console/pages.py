"""`Page` is what a page's endpoint works with: who is signed in, the chosen store, the form, and how to answer."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.accounts.grants import Caller, Scope
from profile_lookup.console import cookies
from profile_lookup.console.forms import Form
from profile_lookup.console.navigation import LINKS, PERSON_LINKS, Link
from profile_lookup.console.refusals import Refusal
from profile_lookup.console.sessions import Session, Sessions
from profile_lookup.console.templating import html_page, root_of
from profile_lookup.identity.history.creation import Actor
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids
from profile_lookup.web.connection import SHOWN_PROFILES
from profile_lookup.web.dependencies import services_of

if TYPE_CHECKING:
    from profile_lookup.services import Services


class StoreName(NamedTuple):
    id: str
    name: str


class ShownLink(NamedTuple):
    title: str
    address: str


@dataclass(slots=True)
class Page:
    """A page for a person who is signed in. `stores` are those that the person's key is for."""

    request: Request
    sessions: Sessions
    session: Session
    credentials: Credentials
    caller: Caller
    stores: Sequence[StoreName]
    form: Form

    @property
    def services(self) -> "Services":
        return services_of(self.request.scope)

    @property
    def actor(self) -> Actor:
        """The actor of the events that the person's changes write: the key or the account."""
        return self.credentials.actor

    @property
    def root(self) -> str:
        return root_of(self.request.scope["path"])

    @property
    def chosen_store(self) -> StoreName | None:
        """The store that the page is about, or that was used last; the only one, if there is one."""
        used_last = (store for store in self.stores if store.id == self.session.store_id)
        return next(used_last, self.stores[0] if len(self.stores) == 1 else None)

    def may(self, scope: Scope) -> bool:
        """Return whether the person's key has this scope: a page does not offer what the key may not do."""
        return scope in self.caller.grant.scopes

    def address(self, path: str) -> str:
        """Return the relative address of a path below `/console`."""
        return f"{self.root}console/{path}".rstrip("/")

    def store_address(self, path: str = "") -> str:
        """Return the relative address of a path below the chosen store."""
        return "" if self.chosen_store is None else self.address(f"stores/{self.chosen_store.id}/{path}")

    def first_address(self, store_id: str) -> str:
        """Return the relative address of the first page about a store that the caller may see.

        A key that may only write has no such page. It is led to the list of operations.
        """
        link = next(filter(self._may_follow, LINKS), LINKS[0])
        return self.address(f"stores/{store_id}/{link.path}" if link.is_of_store else link.path)

    def store_name(self, store_id: str) -> str:
        """Return the name of a store, or its ID if it is deleted."""
        return next((store.name for store in self.stores if store.id == store_id), store_id)

    def note_profiles(self, profile_ids: Iterable[UUID]) -> None:
        """Have the audit log record that the page shows these profiles, besides the one in its path."""
        noted: list[str] = self.request.scope["state"].setdefault(SHOWN_PROFILES, [])
        noted += [ids.profile_id(each) for each in profile_ids]

    async def render(self, template: str, status: int = 200, refusal: Refusal | None = None, **values: Any) -> Response:
        """Return the page that a template makes of these values. A refusal decides the status."""
        context = {"page": self, "refusal": refusal, "notice": self.session.notice, "links": list(self._links())}
        response = html_page(template, status if refusal is None else refusal.status, context | values)
        await self.keep_session(response)
        return response

    async def redirect(self, address: str, notice: str = "") -> Response:
        """Return a redirect to another page, which then shows `notice`: a sentence without any value."""
        response = RedirectResponse(address, 303)
        await self.keep_session(response, notice)
        return response

    async def keep_session(self, response: Response, notice: str = "") -> None:
        """Write the session's cookie anew."""
        session = replace(self.session, notice=notice)
        await cookies.set_session(self.request, response, self.sessions, session)

    @property
    def token(self) -> str:
        return self.sessions.form_token(self.session.id)

    def _may_follow(self, link: Link) -> bool:
        return self.may(link.needed) or (link.alternative is not None and self.may(link.alternative))

    def _links(self) -> Iterator[ShownLink]:
        for link in LINKS:
            if self._may_follow(link) and (not link.is_of_store or self.chosen_store is not None):
                address = self.store_address(link.path) if link.is_of_store else self.address(link.path)
                yield ShownLink(link.title, address)


@dataclass(slots=True)
class StorePage(Page):
    """A page about one store, which the person's key is for. `rules` are the store's, as they are in force."""

    rules: StoreRules

    @property
    def store_id(self) -> str:
        return ids.store_id(self.rules.id)

    def person_address(self, profile_id: UUID, path: str = "") -> str:
        """Return the relative address of a person's page, or of a path below it."""
        return self.store_address(f"profiles/{ids.profile_id(profile_id)}/{path}")

    def person_links(self, profile_id: UUID) -> list[ShownLink]:
        """Return the links to the pages about a person that the caller may see."""
        links = [each for each in PERSON_LINKS if self.may(each.needed)]
        return [ShownLink(each.title, self.person_address(profile_id, each.path)) for each in links]
