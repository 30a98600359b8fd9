"""Whose turn it is: accounts take turns, whatever each of them waits with."""

from collections import deque
from collections.abc import Mapping
from typing import Generic, TypeVar

Unit = TypeVar("Unit")


class Turns(Generic[Unit]):
    """Units of work that wait, handed out in turns between tenants.

    The next unit is of the tenant that has the fewest under way; among equals, of the one that was
    served longest ago. So a tenant waits for at most one unit of each other tenant, whether those
    have one waiting or a thousand (round robin; max-min fair shares of the runs there are).

    Args:
        each: units of one tenant under way at once, at most.
    """

    def __init__(self, *, each: int) -> None:
        self._each = each
        self._waiting: dict[str, deque[Unit]] = {}
        self._served: dict[str, int] = {}
        self._turn = 0

    def __len__(self) -> int:
        """How many units wait."""
        return sum(len(units) for units in self._waiting.values())

    def add(self, tenant: str, unit: Unit, *, is_first: bool = False) -> None:
        """Let a unit wait, behind its tenant's others or before them."""
        units = self._waiting.setdefault(tenant, deque())
        if is_first:
            units.appendleft(unit)
        else:
            units.append(unit)

    def take(self, under_way: Mapping[str, int]) -> tuple[str, Unit] | None:
        """Return the unit whose turn it is, with its tenant; None when none may start now.

        Args:
            under_way: units of each tenant that were taken and have not ended.
        """
        candidates = [
            (under_way.get(tenant, 0), self._served.get(tenant, -1), tenant)
            for tenant, units in self._waiting.items()
            if units and under_way.get(tenant, 0) < self._each
        ]
        if not candidates:
            return None
        _, _, tenant = min(candidates)
        self._served[tenant] = self._turn
        self._turn += 1
        return tenant, self._waiting[tenant].popleft()
