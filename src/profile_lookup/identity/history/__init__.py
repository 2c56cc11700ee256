"""The history of a person: events, why profiles are one person, and how that is undone."""
