"""Live: what happens to jobs, told as it happens."""
