"""What a policy would do: planned like a job, summed in DuckDB, and kept nowhere. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import pyarrow as pa

from models.domain.decisions import Decisions
from models.domain.jobs import OrganizeOptions
from models.domain.targets import Target
from models.domain.whatif import Estimate, Policy, Risk
from tasks.dedupe.core import exact_groups
from tasks.plan.core import make_moves, totals_of


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A root and where its files would go, as they are.

    Attributes:
        fingerprints: (n,) rows of Fingerprint: the source.
        categories: (n,) rows of CategoryRow.
        near: (m,) rows of DuplicateRow that are only alike, as last looked for.
        existing: gives, for options, the files at another destination and the names taken there.
        problems: names that listing the source passed over.
        review_below: a decision less sure than this is left for review.
    """

    source_url: str
    destination_url: str
    fingerprints: pa.Table
    categories: pa.Table
    near: pa.Table
    decisions: Decisions
    target: Target
    existing: Callable[[OrganizeOptions], tuple[pa.Table, tuple[str, ...]]]
    problems: int = 0
    review_below: float = 0.5


def estimate(world: World, policy: Policy) -> Estimate:
    """Return what a policy would do, by the very code that plans a job.

    Raises:
        InvalidError: the mode or template cannot be used.
        ConflictError: the policy is `fail` and a place is taken.
    """
    moves, groups = planned(world, policy.options)
    found = _sums(world, moves, groups, policy.similarity)
    at_risk = found["refusals"] + found["goes_at_risk"]
    touched = found["files_moved"] + found["files_trashed"] + found["refusals"]
    return Estimate(
        policy=policy,
        totals=totals_of(moves, world.fingerprints, groups, problems=world.problems),
        files_moved=found["files_moved"],
        bytes_moved=found["bytes_moved"],
        files_trashed=found["files_trashed"],
        bytes_freed=found["bytes_freed"],
        groups_touched=found["groups_touched"],
        folders=found["folders"],
        risk=Risk(
            refusals=found["refusals"],
            displacements=found["displacements"],
            renamed=found["renamed"],
            unsure=found["unsure"],
            lookalikes=found["lookalikes"],
            lookalike_bytes=found["lookalike_bytes"],
            ratio=round(at_risk / touched, 4) if touched else 0.0,
        ),
    )


def planned(world: World, options: OrganizeOptions) -> tuple[pa.Table, pa.Table]:
    """Return the moves and the groups of equal files that a job with these options would have."""
    groups = exact_groups(
        world.fingerprints,
        world.categories,
        options=options,
        source_url=world.source_url,
        destination_url=world.destination_url,
        target=world.target,
        decisions=world.decisions,
    )
    there, blocked = world.existing(options)
    moves = make_moves(
        world.fingerprints,
        world.categories,
        groups,
        there,
        options=options,
        source_url=world.source_url,
        destination_url=world.destination_url,
        target=world.target,
        blocked=blocked,
    )
    return moves, groups


def _sums(world: World, moves: pa.Table, groups: pa.Table, similarity: float) -> dict[str, int]:
    """Return the sums of `sums.sql` by name."""
    import duckdb

    sql = files("tasks.whatif").joinpath("sums.sql").read_text("utf-8")
    with duckdb.connect(config={"python_enable_replacements": "false"}) as connection:
        tables: dict[str, Any] = {
            "moves": moves,
            "members": groups,
            "near": world.near,
            "decided": world.categories.select(["key", "confidence_ratio"]),
        }
        for name, table in tables.items():
            connection.register(name, table)
        parameters = {"similarity": similarity, "review_below": world.review_below}
        result = connection.execute(sql, parameters)
        names = [str(column[0]) for column in result.description]
        values = result.fetchone() or ()
    return dict(zip(names, map(int, values), strict=True))
