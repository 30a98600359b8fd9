"""Search: files by their name, what they say, and what they mean."""
