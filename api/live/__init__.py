"""Live: what happens to an account's jobs, and what it is told, as it happens."""
