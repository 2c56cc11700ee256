"""The embedded PostgreSQL: it is started, watched and stopped together with the service."""
