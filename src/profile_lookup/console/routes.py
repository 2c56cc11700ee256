"""`/console`: the pages for people. Each room adds its router to `ROOMS`."""

from fastapi import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from profile_lookup.console import sign_in_routes, suspects, unknown_addresses
from profile_lookup.console.dependencies import SignedIn
from profile_lookup.console.imports import import_routes, mapping_routes, report_routes, undo_routes, upload_routes
from profile_lookup.console.joins import block_routes, separation_routes, split_routes, why_routes
from profile_lookup.console.keys import routes as keys
from profile_lookup.console.lookup import routes as look_up
from profile_lookup.console.operations import routes as operations
from profile_lookup.console.page_route import page_router
from profile_lookup.console.person import routes as person
from profile_lookup.console.personal_data import routes as personal_data
from profile_lookup.console.rules import blocked_value_routes, previews, settings_routes, trait_group_routes

router = page_router()


@router.get("")
async def stores(page: SignedIn) -> Response:
    """Show the stores to choose from; a person with one store is led to its first page."""
    if len(page.stores) == 1:
        return await page.redirect(page.first_address(page.stores[0].id), page.session.notice)
    return await page.render("stores.html")


ROOMS = (
    sign_in_routes,
    look_up,
    person,
    why_routes,
    split_routes,
    block_routes,
    separation_routes,
    suspects,
    upload_routes,
    import_routes,
    mapping_routes,
    undo_routes,
    report_routes,
    settings_routes,
    trait_group_routes,
    blocked_value_routes,
    previews,
    personal_data,
    operations,
    keys,
    unknown_addresses,
)
"""The modules that have a `router`. The last one takes all addresses that the others leave."""

for room in ROOMS:
    router.routes += room.router.routes
router.routes.append(
    Mount("/assets/console", StaticFiles(packages=[("profile_lookup.console", "assets")]), name="console assets")
)
