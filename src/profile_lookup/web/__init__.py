"""HTTP vocabulary that the features share; knows no feature."""
