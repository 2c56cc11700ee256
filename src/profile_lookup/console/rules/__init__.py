"""The rules of a store as forms: identity resolution settings, trait groups and blocked values."""
