"""An archive: a store as JSON Lines, written and read."""
