"""What callers may do: keys, scopes, stores, tokens and accounts."""
