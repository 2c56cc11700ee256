"""A service that runs: its socket, the processes that serve, and the one beside them that works on operations."""
