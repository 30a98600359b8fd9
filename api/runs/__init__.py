"""Runs: how jobs reach Prefect."""
