"""Rows in Postgres and their migrations."""
