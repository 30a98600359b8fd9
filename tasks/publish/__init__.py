"""Publish: what a run found and did, to the catalog in Postgres and to the warehouse."""
