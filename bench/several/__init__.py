"""Several servers on one MongoDB and Redis, looked at from outside."""
