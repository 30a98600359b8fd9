"""Fixtures of the journeys: see `flow_stack`."""

from flow_stack import command, ledger, stack
from s3_servers import _aws_environment, s3_bucket, s3_calls, s3_endpoint

__all__ = ["_aws_environment", "command", "ledger", "s3_bucket", "s3_calls", "s3_endpoint", "stack"]
