"""The shape of every table, derived from the domain's dataclasses."""
