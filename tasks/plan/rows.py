"""The MOVES table, from fates and places, in the order of application."""

import hashlib
import sys
from array import array
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.domain.duplicates import TruthClass
from models.domain.facts import columns_of, date_used
from models.domain.organizing import OperationType
from models.domain.plans import Action, Move
from tasks.plan.intake import CHUNK_ROWS, Intake
from tasks.plan.resolve import Outcome, Resolution
from tasks.plan.work import VIRTUAL, Decisions, Fate
from warehouse.schemas.arrow import arrow_schema

compute: Any = pc  # the stubs know too few of its overloads

_DATE_FIELDS = frozenset({"year", "month", "day", "date"})
_DATE_COLUMNS = columns_of(_DATE_FIELDS)
_FILED = frozenset({Action.MOVE.value, Action.COPY.value, Action.ASSIGN.value})


def unit_id(key: str) -> str:
    """Return the identity of a unit: 16 hexadecimal digits from its leader's key."""
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


class Rows:
    """Collects the rows of a plan, by column; facts of source files are joined at the end."""

    def __init__(self, intake: Intake, decisions: Decisions, resolution: Resolution) -> None:
        self._in = intake
        self._decisions = decisions
        self._resolution = resolution
        self._at = array("q")
        self._leader = array("q")
        self._action: list[str] = []
        self._to: list[str | None] = []
        self._keeper: list[str | None] = []
        self._conflict: list[str | None] = []
        self._reason: list[str] = []
        mode = intake.options.mode
        self._why = f"filed by {mode}"
        self._why_with = f"filed by {mode}, with its companion"
        self._why_project = f"filed by {mode}, with its project"
        self._goes = Action.MOVE
        if intake.options.mode == VIRTUAL:
            self._goes = Action.ASSIGN
        elif intake.options.operation == OperationType.COPY:
            self._goes = Action.COPY

    def _add(
        self,
        occupant: int,
        leader: int,
        action: Action,
        *,
        to: str | None = None,
        keeper: str | None = None,
        conflict: str | None = None,
        reason: str,
    ) -> None:
        """Add a row of a leader's unit.

        Args:
            occupant: a row of the source, or -1 - position at the destination.
            leader: row of the source that stands for the unit.
            action: what happens to it.
            to: where it goes.
            keeper: the file that proves that its content stays.
            conflict: how a taken name was dealt with.
            reason: in words.
        """
        self._at.append(occupant)
        self._leader.append(leader)
        self._action.append(action.value)
        self._to.append(to)
        self._keeper.append(keeper)
        self._conflict.append(conflict)
        self._reason.append(reason)

    def collect(self) -> pa.Table:
        """Return the table: removals, then what goes, then what stays.

        Removals come first, so that the keeper is proven where the plan read it, before it moves.
        """
        stopped = self._resolution.stays | self._resolution.refused
        for leader, fate in enumerate(self._decisions.fates):
            if fate is Fate.TRASH:
                self._add_removals(leader)
        for outcome in self._resolution.outcomes:
            self._add_outcome(outcome)
        for leader, fate in enumerate(self._decisions.fates):
            if leader in stopped or fate is Fate.STAY or fate is Fate.REFUSE:
                self._add_staying(leader, fate, stopped.get(leader))
        return self._table()

    def _add_removals(self, leader: int) -> None:
        files, duplicates = self._in.files, self._in.duplicates
        for row in files.members(leader):
            keeper = files.keys[duplicates.keeper_of[row]]
            reason = f"duplicate of {keeper}"
            self._add(row, leader, Action.TRASH, keeper=keeper, reason=reason)

    def _add_outcome(self, outcome: Outcome) -> None:
        leader = outcome.work.leader
        for occupant, to in outcome.displaced:
            words = "gives its name to a new file" if to else "replaced; kept in the trash"
            self._add(
                occupant, leader, Action.DISPLACE, to=to, conflict=outcome.conflict, reason=words
            )
        for row, address in zip(outcome.work.members, outcome.addresses, strict=True):
            reason = self._why if row == leader else self._why_with
            if outcome.work.why is not None:
                reason = outcome.work.why
            elif outcome.work.is_project:
                reason = self._why_project
            elif leader in self._in.folded:
                reason = f"{reason}; {self._in.folded[leader]}"
            self._add(row, leader, self._goes, to=address, conflict=outcome.conflict, reason=reason)

    def _add_staying(self, leader: int, fate: Fate | None, stopped: str | None) -> None:
        resolution = self._resolution
        is_refused = fate is Fate.REFUSE or leader in resolution.refused
        action = Action.REFUSE if is_refused else Action.SKIP
        reason = stopped or self._decisions.reasons[leader]
        for row in self._in.files.members(leader):
            if row not in resolution.given_way:
                self._add(row, leader, action, reason=reason)

    def _table(self) -> pa.Table:
        at = np.asarray(self._at, dtype=np.int64)
        units = self._units()
        source: Any = pa.array(np.where(at < 0, 0, at), mask=at < 0)
        dates, sources, remarks = self._dates(at)
        reasons = [
            f"{why}; {odd}" if odd else why for why, odd in zip(self._reason, remarks, strict=True)
        ]
        files = self._in.files.table
        taken = {
            name: self._patched(name, files.column(name).take(source).combine_chunks(), at)
            for name in ("size_bytes", "modified_ns", "sha256", "version", "category")
        }
        schema = arrow_schema(Move)
        columns: dict[str, Any] = {
            "seq": pa.array(np.arange(len(at))),
            "unit_id": units,
            "action": self._action,
            "source_key": self._patched(
                "key", files.column("key").take(source).combine_chunks(), at
            ),
            "destination_key": self._to,
            "keeper_key": self._keeper,
            "date_used": dates,
            "date_source": sources,
            "conflict": self._conflict,
            "truth_class": self._proven(TruthClass.FULL_HASH.value),
            "similarity_ratio": self._proven(1.0),
            "keeper_sha256": pa.nulls(len(at), pa.string()),
            "threshold_ratio": pa.nulls(len(at), pa.float64()),
            "reason": reasons,
            **taken,
        }
        arrays = [
            value
            if isinstance(value := columns[field.name], pa.Array)
            else pa.array(value, field.type)
            for field in schema
        ]
        return pa.Table.from_arrays(
            [array.cast(field.type) for array, field in zip(arrays, schema, strict=True)],
            schema=schema,
        )

    def _proven(self, value: str | float) -> list[Any]:
        """Return a value where a file goes because another has equal bytes, else nulls."""
        return [None if keeper is None else value for keeper in self._keeper]

    def _units(self) -> Any:
        """Return each row's unit; made here, in chunks, as texts take eight times a number."""
        keys = self._in.files.keys
        chunks = [
            pa.array([unit_id(keys[row]) for row in self._leader[first : first + CHUNK_ROWS]])
            for first in range(0, len(self._leader), CHUNK_ROWS)
        ]
        return pa.chunked_array(chunks, pa.string()).combine_chunks()

    def _patched(self, column: str, values: Any, at: NDArray[np.int64]) -> Any:
        """Fill in the facts of files at the destination, and where a displaced file lies there."""
        existing, namespace = self._in.existing, self._in.placer.namespace
        fresh: dict[int, Any] = {
            position: existing.value(-1 - int(at[position]), column)
            for position in np.flatnonzero(at < 0).tolist()
        }
        if column == "key":
            for position, action in enumerate(self._action):
                if action == Action.DISPLACE.value and at[position] >= 0:
                    fresh[position] = namespace.address(self._in.files.keys[int(at[position])])
        if not fresh:
            return values
        mask = np.zeros(len(at), dtype=bool)
        mask[list(fresh)] = True
        ordered = pa.array([fresh[position] for position in sorted(fresh)], values.type)
        return compute.replace_with_mask(values, pa.array(mask), ordered)

    def _dates(self, at: NDArray[np.int64]) -> tuple[list[str | None], list[str | None], list[str]]:
        """Return each row's date, where it came from, and what is odd about it."""
        table = self._in.files.table.select(_DATE_COLUMNS)
        dates: list[str | None] = [None] * len(at)
        sources: list[str | None] = [None] * len(at)
        remarks = [""] * len(at)
        counts = bool(self._in.placer.template.fields & _DATE_FIELDS)
        for first in range(0, len(at), CHUNK_ROWS):
            rows = at[first : first + CHUNK_ROWS]
            facts = table.take(pa.array(np.maximum(rows, 0), pa.int64())).to_pylist()
            for position, row, fact in zip(
                range(first, first + len(rows)), rows.tolist(), facts, strict=True
            ):
                if row < 0:
                    continue
                used = date_used(fact)
                if used.date is not None:
                    dates[position] = sys.intern(used.date)
                    sources[position] = used.source
                if counts and self._action[position] in _FILED:
                    remarks[position] = used.remark
        return dates, sources, remarks
