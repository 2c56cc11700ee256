"""Identity resolution settings: which identifier types a store knows, and which of them identify a person."""
