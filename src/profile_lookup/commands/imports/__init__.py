"""`profile-lookup import`: a file is imported, or an import is cancelled or undone."""
