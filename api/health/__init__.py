"""Whether the API lives, whether it can serve, and which version it is."""
