"""Pages about what made a person one: why it is one person, the split, those kept apart, and the block of a value."""
