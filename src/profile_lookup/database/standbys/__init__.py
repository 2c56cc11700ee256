"""Reads from standbys that see every write which was answered before they began. See docs/decisions/0059."""
