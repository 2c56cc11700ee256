"""Reads from standbys, and failovers, on real servers that are paused, killed and promoted."""
