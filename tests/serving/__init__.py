"""What the server does before any application sees a request: connections, turns, slow clients."""
