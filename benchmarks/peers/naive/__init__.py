"""The same service, written as the tutorials of FastAPI and SQLAlchemy show.

It uses SQLAlchemy 2's ORM (asynchronous, on asyncpg, which prepares and caches its statements), HTTPBasic as a
dependency, pydantic models for requests and answers, `phonenumbers` for every phone number, and a session per request.
Each request reads credentials and settings from the database, so that a Lookup takes three queries. A service that
caches them uses outdated settings or accepts revoked keys, and the product does neither.
"""
