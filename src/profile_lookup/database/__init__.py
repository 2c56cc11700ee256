"""PostgreSQL: the engine, every table on one page, and the embedded server. Knows no feature."""
