"""How a column is described: once, on the dataclass of its row."""

import dataclasses
from typing import Any


def column(doc: str, *, default: Any = dataclasses.MISSING) -> Any:
    """Describe one column of a table.

    Args:
        doc: what a value means, with its unit; becomes the warehouse's documentation.
        default: value of rows that do not say.

    Returns:
        A dataclass field; Arrow schema, DDL comment and documentation derive from it.
    """
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata={"doc": doc})
    return dataclasses.field(default=default, metadata={"doc": doc})
