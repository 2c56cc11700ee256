"""The columns of a file: which trait each of them holds."""
