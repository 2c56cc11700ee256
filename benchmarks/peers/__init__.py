"""The peers. Each is written in the style of its community, and gives the same answers from the same tables."""
