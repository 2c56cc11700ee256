"""Accounts and their API keys, which decide who may call."""
