"""Dependencies of imports: the import in the path, if the caller may use its store, and the bucket for uploads."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Request

from profile_lookup.accounts.dependencies import PresentedCredentials
from profile_lookup.errors import IdMalformed, ImportNotFound
from profile_lookup.imports.s3 import Bucket
from profile_lookup.stores.dependencies import STORE_ERRORS, StoreIdInPath, admitted
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids
from profile_lookup.web.dependencies import services_of

IMPORT_ERRORS = (*STORE_ERRORS, IdMalformed("import"), ImportNotFound())
"""The errors that every operation on an import may answer, for its documentation."""

# As for the ID of the store, the pattern is documented, not enforced.
ImportIdInPath = Annotated[
    str,
    Path(
        alias="importId",
        description="The ID of the import.",
        json_schema_extra={"pattern": ids.IMPORT_ID_PATTERN},
        examples=[ids.EXAMPLE_IMPORT_ID],
    ),
]


@dataclass(frozen=True, slots=True)
class AddressedImport:
    """The ID of an import in a store that the caller may use. The import need not exist."""

    store: StoreRules
    id: UUID


async def _addressed(
    request: Request, store_id: StoreIdInPath, import_id: ImportIdInPath, credentials: PresentedCredentials
) -> AddressedImport:
    is_well_formed = ids.is_well_formed(ids.IMPORT_ID_PATTERN, import_id)
    store = await admitted(request, credentials, store_id, None if is_well_formed else IdMalformed("import"))
    uuid = ids.decoded(import_id)
    if uuid is None:
        raise ImportNotFound
    return AddressedImport(store, uuid)


ImportOfStore = Annotated[AddressedImport, Depends(_addressed)]


async def _bucket(request: Request) -> Bucket | None:
    return services_of(request.scope).bucket


BucketOfApp = Annotated[Bucket | None, Depends(_bucket)]
