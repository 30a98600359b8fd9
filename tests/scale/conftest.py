"""What is measured in minutes: `make campaign-scale`."""

import pytest
from scale_world import cluster

__all__ = ["cluster"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what `make campaign-scale` asks for; take part in `pytest tests/scale` only."""
    parser.addoption("--scale", action="store_true", help="several workers, and kills: minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what takes minutes unless it was asked for."""
    if not config.getoption("--scale", default=False):
        for item in items:
            if "tests/scale" in str(item.path):
                item.add_marker(pytest.mark.skip(reason="in `make campaign-scale`"))
