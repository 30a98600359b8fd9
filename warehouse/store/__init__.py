"""Rows at rest: immutable parts of runs, and the Delta tables analysts read."""
