"""Dependencies that return the `Page` of a person who is signed in."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.accounts.dependencies import admitted_caller
from profile_lookup.accounts.grants import Caller, Scope
from profile_lookup.accounts.queries import accepted_credentials
from profile_lookup.console.cookies import SESSION
from profile_lookup.console.forms import TOKEN, Form, read_form
from profile_lookup.console.pages import Page, StoreName, StorePage
from profile_lookup.console.sessions import Session, Sessions
from profile_lookup.errors import AccessDenied, IdMalformed, ProfileNotFound, Unauthenticated
from profile_lookup.profiles.dependencies import ProfileIdInPath
from profile_lookup.stores import queries as stores
from profile_lookup.stores.dependencies import StoreIdInPath
from profile_lookup.web import ids
from profile_lookup.web.dependencies import SigningSecrets, readmit_after_body, services_of

_IS_ACTIVE = "ACTIVE"


async def _sessions(secrets: SigningSecrets) -> Sessions:
    return Sessions(secrets)


SessionsOfApp = Annotated[Sessions, Depends(_sessions)]


async def _verified(request: Request, sessions: SessionsOfApp) -> tuple[Session, Credentials]:
    """Return the session of the request's cookie, and its credentials. Raises `Unauthenticated`."""
    session = sessions.from_cookie(request.cookies.get(SESSION))
    if session is None:
        raise Unauthenticated
    accepted = await accepted_credentials(services_of(request.scope).database, session.sid, session.id)
    credentials = sessions.credentials_of(session, accepted)
    if credentials is None:
        raise Unauthenticated
    return session, credentials


async def _admitted(
    request: Request, sessions: SessionsOfApp, verified: Annotated[tuple[Session, Credentials], Depends(_verified)]
) -> Page:
    """Return the page, without its form, of a caller who is admitted and whose request counts."""
    session, credentials = verified
    caller = await admitted_caller(request, credentials)
    page = Page(request, sessions, session, credentials, caller, await _stores_of(request, caller), Form())
    request.state.page = page  # for the page of an error
    return page


AdmittedPage = Annotated[Page, Depends(_admitted)]


async def _stores_of(request: Request, caller: Caller) -> list[StoreName]:
    only = caller.grant.store_ids
    async with services_of(request.scope).database.statements() as connection:
        rows = await stores.of_account(connection, caller.account_id)
    return [
        StoreName(ids.store_id(row.id), row.display_name)
        for row in rows
        if row.status == _IS_ACTIVE and (only is None or row.id in only)
    ]


async def _signed_in(page: AdmittedPage) -> AsyncIterator[Page]:
    page.form = await _form_of(page)
    yield page
    await page.form.close()


SignedIn = Annotated[Page, Depends(_signed_in)]
"""The page of a person who is signed in. Its form, if it has one, is of this session."""


async def _form_of(page: Page) -> Form:
    """Return the form of the request. Raises `AccessDenied` if it does not have the token of this session."""
    if page.request.method in ("GET", "HEAD"):
        return Form()
    form = await read_form(page.request, may_have_file=True)
    if not page.sessions.is_form_token(page.session.id, form.text(TOKEN)):
        raise AccessDenied("this form is not of this session. Open its page again, and send it from there")
    return form


def _store_page(needed: Scope) -> Callable[[AdmittedPage, StoreIdInPath], AsyncIterator[StorePage]]:
    """Return a dependency that returns the page about the store in the path, for a key with this scope."""

    async def store_page(page: AdmittedPage, store_id: StoreIdInPath) -> AsyncIterator[StorePage]:
        admit = partial(page.services.admissions.admit, page.credentials, store_id, needed, cost=0)
        rules = await admit()
        readmit_after_body(page.request.scope, admit)
        session = replace(page.session, store_id=ids.store_id(rules.id))
        page = page.request.state.page = StorePage(
            page.request, page.sessions, session, page.credentials, page.caller, page.stores, page.form, rules
        )
        page.form = await _form_of(page)
        yield page
        await page.form.close()

    return store_page


LookupPage = Annotated[StorePage, Depends(_store_page("lookup"))]
ReadPage = Annotated[StorePage, Depends(_store_page("read"))]
WritePage = Annotated[StorePage, Depends(_store_page("write"))]
ManagePage = Annotated[StorePage, Depends(_store_page("manage"))]


async def _person_id(profile_id: ProfileIdInPath) -> UUID:
    if not ids.is_well_formed(ids.PROFILE_ID_PATTERN, profile_id):
        raise IdMalformed("profile")
    uuid = ids.decoded(profile_id)
    if uuid is None:
        raise ProfileNotFound
    return uuid


PersonId = Annotated[UUID, Depends(_person_id)]
"""The ID of the profile in the path, which need not exist. It comes after the page."""
