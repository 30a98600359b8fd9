"""Expectations that judge a run before it becomes visible."""
