"""Blocked values: the values of a store that identify nobody, such as placeholders."""
