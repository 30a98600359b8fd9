"""Flows: one file per deployment; parameters, order, concurrency, artifacts."""
