"""Imports of files: a file is dropped, its columns are checked, and its import is followed, cancelled and undone."""
