"""Accounts and their API keys: who may ask."""
