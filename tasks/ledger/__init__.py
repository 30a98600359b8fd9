"""The ledger: the pipeline's only door to Postgres."""
