"""Dashboards for analysts and operators: they read the warehouse and nothing else."""
