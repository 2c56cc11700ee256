"""The drawing that shows why records are one person: it is computed here without a database and without HTTP.

`join_graph` says what the records of a person are and what links them, `units` folds records that are linked alike into
groups, and `drawing` places all of it by means of `layout`.
"""
