"""A self-hosted identity lookup service: which customer profile does this phone number, e-mail or chat ID name?"""
