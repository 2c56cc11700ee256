"""The HTTP vocabulary that the features share. It imports no feature."""
