"""The double: what a server for tests (`serve --ephemeral`) has in addition. No other server loads any of it."""
