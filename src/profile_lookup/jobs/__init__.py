"""The handlers of operations: what workers do to a store's data."""
