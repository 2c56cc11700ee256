"""A file that somebody imports: how its bytes become records. It depends on nothing else of imports."""
