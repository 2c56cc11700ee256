"""The first words of the OpenAPI document: the description of the API, and of each group of its operations."""

DESCRIPTION = """\
Which customer profile does this phone number, e-mail address or chat ID name? Store profiles with their identifiers,
and look them up. Profiles that turn out to be one person are merged.

The service speaks the identity half of Twilio's Conversation Memory API (v1), so the official SDK works unmodified.
What is marked `x-ours` or **(ours)** is not in the published API.

Press *Authorize* and enter an API key's SID and secret, or an account's SID and auth token. The
[guides](docs/guides) explain [lists](docs/guides#paging), [operations](docs/guides#operations),
[merged profiles](docs/guides#redirects) and [null](docs/guides#null). There is a [list of error codes](docs/errors).
"""

TAGS = [
    {"name": "Retrieval", "description": "Find the profiles that an identifier names."},
    {"name": "Profile", "description": "The data about a person, under one canonical ID."},
    {"name": "Identifiers", "description": "The values by which a person can be found."},
    {"name": "Traits", "description": "The properties of a person, each with the time of its last change."},
    {
        "name": "History",
        "description": "What happened to profiles, why they are one person, and how that is undone **(ours)**.",
    },
    {"name": "Store", "description": "A tenant with its settings, trait groups and profiles."},
    {
        "name": "IdentityResolutionSettings",
        "description": "The identifier types of a store, and the rules by which profiles are the same person.",
    },
    {"name": "BlockedValues", "description": "The values that identify nobody, such as placeholders **(ours)**."},
    {"name": "TraitGroup", "description": "The traits that profiles may have, and which of them identify a person."},
    {"name": "Operations", "description": "The progress and the result of accepted requests."},
    {"name": "Access", "description": "API keys, what each may do, and the account's auth token **(ours)**."},
]

TESTING_TAG = {"name": "Testing", "description": "How tests control a server for tests **(ours)**."}
