"""A plan as people want to see it: totals, the tree it makes, and what is out of the ordinary."""

from collections import Counter
from dataclasses import asdict
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
from rich.markup import escape
from rich.tree import Tree

from cli.output import err, facts_table, out, rows_table, size
from models.domain.plans import WRITING, Action, Move, Plan
from warehouse.schemas.arrow import to_rows

SAMPLE = 12
"""Rows shown of each kind on a terminal; JSON carries `SAMPLE_JSON`."""

SAMPLE_JSON = 200


def _where(moves: pa.Table, actions: set[str]) -> pa.Table:
    return moves.filter(pc.is_in(moves["action"], value_set=pa.array(sorted(actions))))


def _folder_tree(moves: pa.Table) -> Tree:
    """Return the destination's folders, two deep, with files and bytes."""
    files: Counter[str] = Counter()
    weight: Counter[str] = Counter()
    moved = _where(moves, {Action.MOVE, Action.COPY, Action.ASSIGN})
    for key, size_bytes in zip(
        moved["destination_key"].to_pylist(), moved["size_bytes"].to_pylist(), strict=True
    ):
        parts = str(key).split("/")[:-1][:2]
        for depth in range(1, len(parts) + 1):
            files["/".join(parts[:depth])] += 1
            weight["/".join(parts[:depth])] += cast("int", size_bytes)
    tree = Tree("[bold]what it makes[/]")
    branches: dict[str, Tree] = {}
    for folder in sorted(files):
        parent, _, name = folder.rpartition("/")
        text = f"{name}/  [dim]{files[folder]:,} files, {size(weight[folder])}[/]"
        branches[folder] = branches.get(parent, tree).add(text)
    return tree


def folds(moves: pa.Table) -> list[str]:
    """Return which sub-folders the budget folds into their category, in words, sorted."""
    marked = moves.filter(pc.match_substring(moves["reason"], " folds into "))
    reasons = pc.unique(marked["reason"]).to_pylist()
    return sorted({str(reason).split("; ")[1] for reason in reasons})


def sample(moves: pa.Table, limit: int) -> list[dict[str, Any]]:
    """Return the first `limit` rows that write or are refused, as `{from, to, action, reason}`."""
    shown = _where(moves, {*WRITING, Action.REFUSE, Action.ASSIGN}).slice(0, limit)
    return [
        {
            "from": row.source_key,
            "to": row.destination_key,
            "action": row.action,
            "conflict": row.conflict,
            "reason": row.reason,
            **_proof(row),
        }
        for row in to_rows(shown, Move)
    ]


def _proof(row: Move) -> dict[str, Any]:
    """Return what says that a file is a duplicate, and of what."""
    if row.truth_class is None:
        return {}
    return {
        "keeper": row.keeper_key,
        "truth_class": row.truth_class,
        "similarity": row.similarity_ratio,
        "size_bytes": row.size_bytes,
    }


def plan_document(plan: Plan, moves: pa.Table) -> dict[str, Any]:
    """Return the plan for `--json`."""
    return {
        "id": plan.id,
        "job_id": plan.job_id,
        "plan_hash": plan.plan_hash,
        "source": plan.source_url,
        "destination": plan.destination_url,
        "options": asdict(plan.options),
        "totals": asdict(plan.totals),
        "folds": folds(moves),
        "sample": sample(moves, SAMPLE_JSON),
    }


def _what(plan: Plan) -> str:
    """Return in a few words what a plan is for."""
    options = plan.options
    if options.is_merge:
        return f"{options.merge_from} into {options.merge_into or 'the root'}"
    return f"{options.mode}, {options.operation}"


def show_plan(plan: Plan, moves: pa.Table) -> None:
    """Print a plan for a person."""
    if plan.options.removal is not None:
        show_removal(plan, moves)
        return
    totals = plan.totals
    out.print(
        facts_table(
            f"Plan {plan.id[:8]}: {_what(plan)}",
            {
                "files": totals.files_total,
                "size": size(totals.bytes_total),
                "to move": totals.moves,
                "to copy": totals.copies,
                "to the trash": totals.trashes,
                "stay where they are": totals.skips,
                "refused": totals.refusals,
                "duplicates": totals.duplicates_found,
                "wasted by duplicates": size(totals.space_wasted_bytes),
            },
        )
    )
    out.print(_folder_tree(moves))
    for fold in folds(moves):
        out.print(f"[dim]{escape(fold)}[/]")
    writing = _where(moves, set(WRITING)).slice(0, SAMPLE)
    out.print(
        rows_table(
            "first operations",
            ("action", "from", "to"),
            [(row.action, row.source_key, row.destination_key) for row in to_rows(writing, Move)],
        )
    )
    _show_refused(moves)
    if not totals.moves + totals.copies + totals.trashes + totals.displacements:
        err.print("nothing to do: everything is where it belongs")


def _show_refused(moves: pa.Table) -> None:
    refused = _where(moves, {Action.REFUSE})
    if refused.num_rows:
        rows = [(r.source_key, r.reason) for r in to_rows(refused.slice(0, SAMPLE), Move)]
        out.print(rows_table(f"refused ({refused.num_rows:,})", ("file", "why"), rows))


def show_removal(plan: Plan, moves: pa.Table) -> None:
    """Print a plan that removes duplicates: what goes, and because of what."""
    totals = plan.totals
    facts: dict[str, Any] = {
        "duplicates looked at": totals.trashes + totals.refusals,
        "to the trash": totals.trashes,
        "frees": size(totals.space_wasted_bytes),
        "refused": totals.refusals,
        "stay for others": totals.skips,
    }
    going = _where(moves, {Action.TRASH})
    for truth_class, count in sorted(Counter(going["truth_class"].to_pylist()).items()):
        facts[f"by {truth_class}"] = count
    out.print(facts_table(f"Plan {plan.id[:8]}: remove duplicates", facts))
    rows = [
        (row.source_key, f"{row.similarity_ratio or 0:.1%}", row.truth_class, row.keeper_key)
        for row in to_rows(going.slice(0, SAMPLE), Move)
    ]
    title = f"first of {going.num_rows:,} that go"
    out.print(rows_table(title, ("goes", "alike", "proven by", "because this stays"), rows))
    _show_refused(moves)
    if not going.num_rows:
        err.print("nothing to do: no duplicate may go")
