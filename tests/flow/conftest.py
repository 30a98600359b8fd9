"""Fixtures of the journeys: see `flow_stack`."""

from flow_stack import command, stack

__all__ = ["command", "stack"]
