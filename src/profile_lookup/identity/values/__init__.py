"""How the values of identifiers are normalized: it depends on nothing else of the domain."""
