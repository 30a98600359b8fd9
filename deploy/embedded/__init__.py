"""Postgres, a Prefect server and a worker on one machine, started and supervised by us."""
