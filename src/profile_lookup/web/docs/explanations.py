"""What each error code means and what a client can do, in plain English, for the pages below `/docs/errors`.

Text between backticks is code.
"""

from typing import NamedTuple


class Explanation(NamedTuple):
    title: str
    meaning: str
    remedy: str


EXPLANATIONS = {
    403: Explanation(
        "Permission denied",
        "The credentials are right, but they do not allow this request. The API key does not have the scope that the "
        "request needs; or it would give another key more than it has itself, or do what only a key for all stores, or "
        "the account's own SID and auth token, may do; or the address of an upload is wrong or has expired.",
        "The `message` says which of these it is. Scopes do not include each other: `lookup` is for lookups, `read` "
        "for `GET` of the data, `write` for its other methods, and `manage` for the control plane. If an upload was "
        "refused, create the import again: its answer has a new `url`.",
    ),
    20003: Explanation(
        "Missing or wrong credentials",
        "The request has no `Authorization` header, or its SID and secret do not belong together, or the key was "
        "revoked or has expired, or the account is disabled.",
        "Send HTTP Basic credentials with every request: an API key's SID and its secret, or an account's SID and its "
        "auth token.",
    ),
    20404: Explanation(
        "Not found",
        "Nothing is at this address: the profile, import or identifier does not exist, was erased, or belongs to "
        "another store; or the path itself is not one of this API's.",
        "Check the IDs in the path, and the path. The IDs of a profile that was merged keep working, so such a profile "
        "is not the reason.",
    ),
    20405: Explanation(
        "Method not allowed",
        "The path exists, but not with this HTTP method.",
        "Use one of the methods that the `Allow` header of the answer names.",
    ),
    20408: Explanation(
        "Request too slow",
        "The head of the request was not complete after ten seconds, or for ten seconds hardly anything of the body "
        "arrived. The service has ended the connection.",
        "Send the request again. If it happens often, look for a slow network, or a proxy that holds requests back.",
    ),
    20409: Explanation(
        "Conflict",
        "The request would contradict something that already exists. For example, a unique identifier belongs to "
        "another profile, but its type is not a matching rule; or the file of an import was uploaded before. Nothing "
        "was changed.",
        "Read the `message`: it names what is in the way. Look up the value to find out which profile has it, and "
        "either change that profile or leave the value out.",
    ),
    20413: Explanation(
        "Body too large",
        "The body of the request has more bytes, or more values, than this operation accepts. It was not parsed.",
        "Split the request. A bulk request takes up to 1,000 profiles; for more, import a CSV file.",
    ),
    20415: Explanation(
        "Unsupported media type",
        "The request has a body, but it is not declared as JSON, or it is compressed.",
        "Send the header `Content-Type: application/json`, and do not compress the body.",
    ),
    20429: Explanation(
        "Too many requests",
        "The API key, or all credentials of its account together, send more requests than their limit allows. Or too "
        "many requests with wrong credentials came from your address; requests with right ones are never refused for "
        "that. Or the store or the account already has as many unfinished operations as it may have. The `message` "
        "says which. This request was not carried out.",
        "Wait for as many seconds as the `Retry-After` header says, and send the request again. The limit is refilled "
        "continuously, so a client that is only a little too fast may wait for less. If it happens often, spread the "
        "requests, or let whoever runs the service raise the limit of the key or of the account. If operations are the "
        "reason, wait until some have ended; for imports that wait for their file, upload the files.",
    ),
    20431: Explanation(
        "Headers too large",
        "The request line and the headers of the request have more than 64 KiB.",
        "Send shorter headers. Cookies, for example, mean nothing to this service.",
    ),
    20500: Explanation(
        "Internal server error",
        "The service has a defect. The answer shows no details, because they might contain personal data.",
        "Give the `X-Request-Id` of the answer to whoever runs the service: the log says more about it under this ID.",
    ),
    20503: Explanation(
        "Service unavailable",
        "The service has more requests than it can answer soon, the database is unreachable or too slow, or the "
        "service is shutting down. Nothing was done, unless the `message` says that it may have been done.",
        "Wait for as many seconds as the `Retry-After` header says, and try again. If the message says that the write "
        "may have been done, a create may simply be repeated; before you repeat any other write, check whether it was "
        "done. Whoever runs the service can check `/readyz`.",
    ),
    520005: Explanation(
        "Traits refused",
        "The traits of the request do not fit the store: a trait group or trait is unknown, a value has the wrong type "
        "or breaks a validation rule, or no trait identifies a person. Nothing was changed.",
        "The `message` names the trait, never its value. Compare it with the store's trait groups. To create a "
        "profile, send at least one trait that is promoted to an identifier, such as `phone` or `email`.",
    ),
    520010: Explanation(
        "Row refused",
        "One row of a bulk request or of an imported file could not be applied. The other rows are not affected.",
        "The reason stands beside the row. Correct the row and send it again: rows that were applied before are not "
        "applied twice, since they then identify an existing profile.",
    ),
    520014: Explanation(
        "No value to replace",
        "The profile does not have the identifier that `oldValue` names. Nothing was changed.",
        "List the identifiers of the profile. `oldValue` is normalized before it is compared, so its spelling does not "
        "matter.",
    ),
    520017: Explanation(
        "No value to remove",
        "The profile has no identifier that this request could remove. Nothing was changed.",
        "List the identifiers of the profile. If you repeated a request, the first one may have removed the value.",
    ),
    520024: Explanation(
        "Identity resolution settings refused",
        "The settings contradict themselves or the data of the store. For example, a matching rule names a type that "
        "is not configured, a type that stored identifiers use is missing, or values would have to be unique that "
        "several profiles share. The old settings stay in force.",
        "The `message` names the contradiction. Fetch the current settings, change them, and send the whole document.",
    ),
    520041: Explanation(
        "No such store",
        "The account of these credentials has no store with this ID. A store of another account is answered in the "
        "same way.",
        "List the stores with the same credentials, and compare the ID.",
    ),
    520042: Explanation(
        "Store not active",
        "The store exists, but it does not serve requests: it is still being created, or it is being deleted.",
        "Fetch the store to see its `status`, or the operation that creates or deletes it.",
    ),
    520043: Explanation(
        "Outdated",
        "The resource has changed since you fetched it, so the ETag in `If-Match` is no longer its own. Nothing was "
        "changed.",
        "Fetch the resource again, make your change to what you then get, and send it with the new ETag.",
    ),
    520044: Explanation(
        "Too many stores",
        "The account already has as many stores as it may have.",
        "Delete a store that is no longer needed, or let whoever runs the service raise `PROFILE_LOOKUP_MAX_STORES`.",
    ),
    520045: Explanation(
        "Name of a store taken",
        "Another store of the account already has this `displayName`.",
        "Choose another name, or use the store that has it.",
    ),
    520046: Explanation(
        "Invalid request",
        "A parameter or the body is not as expected: it is malformed JSON, a member is missing, unknown or of the "
        "wrong type, the value of an identifier cannot be normalized, or a page token does not belong to this list or "
        "is older than a week.",
        "The `message` names the place and says what was expected, but it never repeats an identifier's value. Correct "
        "the request; to repeat it unchanged does not help.",
    ),
    520047: Explanation(
        "No such trait group",
        "The store has no trait group with this name. Names are case-sensitive.",
        "List the trait groups of the store.",
    ),
    520049: Explanation(
        "Malformed store ID",
        "The ID of the store in the path is not one: it is `mem_store_` or `mem_service_` and 26 characters.",
        "Copy the ID from the answer that created the store, or list the stores.",
    ),
    520050: Explanation(
        "Protected trait group or trait",
        "Every store has the trait group `Contact` with its traits. They can neither be removed nor become something "
        "else.",
        "Leave them as they are. You may add traits to `Contact`, and create other trait groups.",
    ),
    520051: Explanation(
        "Malformed operation ID",
        "The ID of the operation in the path is not one: it is `mem_operation_` and 26 characters.",
        "Use the `statusUrl` of the answer that started the operation, as it is.",
    ),
    520052: Explanation(
        "No such operation",
        "The account of these credentials has no operation with this ID. An operation can be fetched until at least "
        "seven days after it ended.",
        "Use the credentials of the account that started the operation.",
    ),
    520053: Explanation(
        "Too many trait groups",
        "The store already has as many trait groups as it may have.",
        "Delete a trait group that is no longer needed, or add the traits to an existing one.",
    ),
    520054: Explanation(
        "Too many traits",
        "The trait group would have more traits than it may have.",
        "Remove traits that are no longer needed, or put the new ones into another trait group.",
    ),
    520055: Explanation(
        "Name of a trait group taken",
        "Another trait group of the store already has this `displayName`.",
        "Choose another name, or change the trait group that has it.",
    ),
    520063: Explanation(
        "Trait value refused",
        "The value of a trait has the wrong type, or breaks the trait's validation rule. Nothing was changed.",
        "The `message` names the trait and says what was expected, but it never repeats the value.",
    ),
}
"""The explanations by code."""
