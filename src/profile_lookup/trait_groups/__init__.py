"""Trait groups: what may be known of a person, and which of it identifies them."""
