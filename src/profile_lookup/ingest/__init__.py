"""The only way by which identifiers reach profiles."""
