"""The work that long operations do on a store's data."""
