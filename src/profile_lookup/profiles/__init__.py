"""Profiles: looked up by identifier, created and merged by what identifies them."""
