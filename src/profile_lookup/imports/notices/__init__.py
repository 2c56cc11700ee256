"""What the owner of an import should know beside its counts. No notice holds a value."""
