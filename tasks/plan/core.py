"""From files to a plan: every operation, its preconditions, and nothing that is not shown. Pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from models.domain.errors import ConflictError
from models.domain.jobs import OrganizeOptions
from models.domain.organizing import ConflictPolicy, OnDuplicate, OperationType
from models.domain.placer import Placer
from models.domain.plans import Action, PlanTotals
from models.domain.targets import Target
from tasks.plan.budget import fold_subfolders
from tasks.plan.decide import decide
from tasks.plan.intake import FILE_COLUMNS, Existing, Files, Intake
from tasks.plan.resolve import Resolver
from tasks.plan.rows import Rows
from warehouse.schemas.files import CATEGORY_COLUMNS, texts

compute: Any = pc  # the stubs know too few of its overloads


def make_moves(
    fingerprints: pa.Table,
    categories: pa.Table | None,
    duplicates: pa.Table,
    existing: pa.Table | None = None,
    *,
    options: OrganizeOptions,
    source_url: str,
    destination_url: str,
    target: Target | None = None,
    blocked: Sequence[str] = (),
) -> pa.Table:
    """Return what will happen to every file, in the order of application.

    Equal inputs give equal tables, whatever order their rows have. Planning again over the result
    writes nothing.

    Args:
        fingerprints: (n,) rows of `Fingerprint`: the source.
        categories: (n,) rows of `CategoryRow`.
        duplicates: (m,) rows of `DuplicateRow` over the same fingerprints.
        existing: (k,) files at the destination where that is another root: `ManifestRow` columns
            and, where known, `sha256`.
        options: mode, operation, policies, protected folders.
        source_url: canonical URL of the source.
        destination_url: canonical URL of the destination.
        target: how the destination compares names and what it can hold.
        blocked: names at the destination that are no files (links, sockets).

    Returns:
        Rows of `Move`: one for each file of the source and one for each file that gives way.
        Removals come first (their keeper is still where the plan read it), then what goes, each
        unit together and after whatever frees its place, then what stays.

    Raises:
        InvalidError: the mode or template cannot be used.
        ConflictError: the policy is `fail` and a place is taken.
    """
    placer = Placer(options, source_url, destination_url, target)
    files = Files(fingerprints, categories, options, placer.columns)
    del fingerprints, categories  # `files` has its own: 0.4 KB a file where nobody else holds them
    folded: dict[int, str] = {}
    if options.subfolders is not None and "subcategory" in placer.template.fields:
        folded = fold_subfolders(files, options.subfolders)
    intake = Intake(
        files=files,
        duplicates=files.duplicates(duplicates),
        existing=Existing(existing, files, placer),
        options=options,
        placer=placer,
        target=target or Target(),
        blocked=tuple(sorted(blocked)),
        folded=folded,
    )
    decisions = decide(intake)
    resolution = Resolver(intake, decisions).resolve()
    if options.conflict == ConflictPolicy.FAIL and resolution.collided:
        raise ConflictError(
            f"{len(resolution.collided)} files find their place taken and the policy is fail: "
            "nothing is planned; preview with rename_new to see which"
        )
    return Rows(intake, decisions, resolution).collect()


def columns_needed(options: OrganizeOptions, source_url: str, destination_url: str) -> list[str]:
    """Return the columns of fingerprints that a plan reads, sorted: half of their size.

    Raises:
        InvalidError: the mode or template cannot be used.
    """
    placer = Placer(options, source_url, destination_url)
    return sorted(FILE_COLUMNS.union(placer.columns).difference(CATEGORY_COLUMNS))


def needs_contents(options: OrganizeOptions) -> bool:
    """Return whether a plan wants to know the content of files at another destination."""
    return options.mode != "virtual" and (
        options.operation == OperationType.COPY
        or options.on_duplicate != OnDuplicate.KEEP
        or options.conflict == ConflictPolicy.SKIP_IDENTICAL
    )


def contents_wanted(existing: pa.Table, sizes: Any) -> pa.Table:
    """Return the files at a destination that may equal one of the source: those of equal size.

    Args:
        existing: (k,) rows of `ManifestRow`.
        sizes: (n,) `size_bytes` of the source.
    """
    return existing.filter(
        compute.is_in(existing.column("size_bytes"), value_set=compute.unique(sizes))
    )


def displaced_unknown(moves: pa.Table) -> list[str]:
    """Return keys, below the destination, of files that give way and whose content is unknown."""
    is_displaced = compute.equal(moves.column("action"), Action.DISPLACE.value)
    unknown = moves.filter(compute.and_(is_displaced, compute.is_null(moves.column("sha256"))))
    return texts(unknown, "source_key")


def with_contents(moves: pa.Table, contents: Mapping[str, str]) -> pa.Table:
    """Return the moves with the contents of displaced files filled in.

    Args:
        moves: (n,) rows of `Move`.
        contents: SHA-256 by key below the destination.
    """
    if not contents:
        return moves
    columns = [moves.column(name).to_pylist() for name in ("action", "source_key", "sha256")]
    filled = [
        contents.get(key, sha256) if action == Action.DISPLACE.value else sha256
        for action, key, sha256 in zip(*columns, strict=True)
    ]
    at = moves.schema.get_field_index("sha256")
    return moves.set_column(at, moves.schema.field(at), pa.array(filled, pa.string()))


def totals_of(
    moves: pa.Table, fingerprints: pa.Table, duplicates: pa.Table, *, problems: int
) -> PlanTotals:
    """Return the sums that a preview shows.

    Args:
        moves: (k,) rows of `Move`.
        fingerprints: (n,) rows: the source's files, each key once.
        duplicates: (m,) rows of `DuplicateRow`.
        problems: names that the listing passed over.
    """
    actions = moves.column("action")
    sizes = moves.column("size_bytes")
    counted = compute.value_counts(actions).to_pylist()
    counts = {str(entry["values"]): int(entry["counts"]) for entry in counted}
    goes = compute.is_in(actions, value_set=pa.array([Action.MOVE.value, Action.COPY.value]))
    is_keeper = duplicates.column("is_keeper")
    groups = int(compute.sum(is_keeper).as_py() or 0)
    return PlanTotals(
        files_total=fingerprints.num_rows,
        bytes_total=int(compute.sum(fingerprints.column("size_bytes")).as_py() or 0),
        moves=counts.get(Action.MOVE, 0),
        copies=counts.get(Action.COPY, 0),
        trashes=counts.get(Action.TRASH, 0),
        displacements=counts.get(Action.DISPLACE, 0),
        skips=counts.get(Action.SKIP, 0),
        refusals=counts.get(Action.REFUSE, 0),
        assigns=counts.get(Action.ASSIGN, 0),
        bytes_to_write=int(compute.sum(sizes.filter(goes)).as_py() or 0),
        duplicate_groups=groups,
        duplicates_found=duplicates.num_rows - groups,
        space_wasted_bytes=int(compute.sum(duplicates.column("wasted_bytes")).as_py() or 0),
        problems=problems,
        conflicts=conflicts_of(moves),
    )


def as_assignments(moves: pa.Table) -> pa.Table:
    """Return a plan's moves as changes of the catalog alone: uploads never move (DESIGN D1)."""
    actions = [
        Action.ASSIGN.value if action in {Action.MOVE, Action.COPY} else action
        for action in moves.column("action").to_pylist()
    ]
    at = moves.schema.get_field_index("action")
    return moves.set_column(at, moves.schema.field(at), pa.array(actions, pa.string()))


def conflicts_of(moves: pa.Table) -> int:
    """Return how many files found their place taken, however that was dealt with."""
    return moves.num_rows - moves.column("conflict").null_count


def plan_hash(
    moves_sha256: str, source_url: str, destination_url: str, options: OrganizeOptions
) -> str:
    """Return the plan's identity: SHA-256 over the moves' bytes, the roots and the options.

    Args:
        moves_sha256: digest of the MOVES part; equal rows give equal bytes.
        source_url: canonical URL of the source.
        destination_url: canonical URL of the destination.
        options: what was asked for.
    """
    document = {
        "moves": moves_sha256,
        "source": source_url,
        "destination": destination_url,
        "options": asdict(options),
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
