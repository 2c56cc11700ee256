"""Imports: a CSV file, uploaded once, whose every row is resolved like a create."""
