"""Profiles: how clients read, change and erase them by their ID, or write a batch of them."""
