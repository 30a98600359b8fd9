"""The one reader of the price list, `models/entitlements.yaml`."""

from functools import lru_cache
from pathlib import Path

import yaml

from models.domain.price_list import PriceList, price_list_from

FILE = Path(__file__).with_suffix(".yaml")


@lru_cache(maxsize=1)
def price_list() -> PriceList:
    """Return the price list, read once for each process.

    Raises:
        BrokenError: the file is malformed.
    """
    return price_list_from(yaml.safe_load(FILE.read_text(encoding="utf-8")))
