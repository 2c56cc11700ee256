"""The format of an archive: a store as JSON Lines, with a line for its rules and one for each profile, earliest first.

An archive contains everything that is stored, with times to the microsecond. It does not say when or where it was made,
but it contains the store's ID. Version 2 has the events of each profile, of which version 1 had only the merges
(`version_1.py`).
"""
