"""Citus: how the schema is distributed over its nodes, and how statements reach the node of their store."""
