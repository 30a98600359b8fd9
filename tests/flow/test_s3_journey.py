"""The journey in a bucket: organized, counted and undone through the S3 protocol."""

import hashlib
from typing import Any

import pytest

from flow_stack import Command

pytestmark = [pytest.mark.flow, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]
