"""S3 servers for the service tests."""

from s3_servers import (
    _aws_environment,
    overwriting_s3_endpoint,
    s3_bucket,
    s3_calls,
    s3_endpoint,
)

__all__ = [
    "_aws_environment",
    "overwriting_s3_endpoint",
    "s3_bucket",
    "s3_calls",
    "s3_endpoint",
]
