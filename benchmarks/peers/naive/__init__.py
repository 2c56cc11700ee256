"""The same service as one would write it by FastAPI's and SQLAlchemy's own tutorials.

SQLAlchemy 2's ORM (asynchronous, on asyncpg, which prepares and caches its statements), HTTPBasic as a dependency,
pydantic models in and out, `phonenumbers` for every phone number, a session per request. Credentials and settings are
read from the database in each request, so that a Lookup is three queries: whoever caches them answers by settings that
no longer hold, or to keys that were revoked, and the product does neither.
"""
