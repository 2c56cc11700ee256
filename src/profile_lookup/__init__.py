"""A self-hosted identity lookup service: it tells which customer profile a phone number or e-mail names."""
