"""The domain: which profile does an identifier name? Pure: no I/O, no clock, nothing to await."""
