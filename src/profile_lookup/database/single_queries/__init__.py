"""Connections for single queries, which need neither a pool nor a transaction."""
