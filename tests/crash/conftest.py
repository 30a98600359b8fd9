"""Options of the crash suite."""

import pytest
from s3_servers import _aws_environment, s3_bucket, s3_calls, s3_endpoint

__all__ = ["_aws_environment", "s3_bucket", "s3_calls", "s3_endpoint"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what `make campaign-crash` asks for; take part in `pytest tests/crash` only."""
    parser.addoption(
        "--campaign",
        action="store_true",
        help="all pairs of crashes, 500 kills, 2,000 histories: minutes instead of seconds",
    )
