"""Stores: the tenants, each with its own settings, trait groups and profiles."""
