"""The domain decides which profile an identifier names. It is pure: no I/O, no clock, nothing to await."""
