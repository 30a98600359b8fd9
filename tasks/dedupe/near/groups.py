"""Near groups of a root: one star for each keeper, rows like those of exact groups."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from models.domain.decisions import Decisions
from models.domain.duplicates import DuplicateRow, TruthClass
from models.domain.jobs import OrganizeOptions
from models.domain.keep import Candidate, elect, steps_of
from models.domain.near import Content
from models.domain.placer import Placer
from models.domain.targets import Target
from tasks.dedupe.near.searches import SignatureBatches, searches
from tasks.dedupe.near.stars import Star, find_stars
from tasks.dedupe.standing import Standings
from warehouse.schemas.arrow import to_rows, to_table
from warehouse.schemas.files import find_table_units, sorted_files


class _Members:
    """Who stands for each content, and how it stands before the keep rules."""

    def __init__(
        self,
        files: pa.Table,
        contents: Sequence[Content],
        options: OrganizeOptions,
        placer: Placer,
        decisions: Decisions,
    ) -> None:
        keys = files.column("key").to_pylist()
        row_of = {key: row for row, key in enumerate(keys)}
        self._row = {content.sha256: row_of[content.key] for content in contents}
        self.content = {content.sha256: content for content in contents}
        self._unit_of = find_table_units(files)
        grouped = set(self._row.values())
        standings = Standings(files, self._unit_of, grouped, options, placer)
        self._candidates = standings.candidates()
        self._steps = steps_of(options.keep_rules)
        self._decisions = decisions
        self._shown: dict[str, float] = {}

    def frame(self, contents: Sequence[str], shown: Iterable[float]) -> None:
        """Take in how much of each picture is not a border: a border is no quality."""
        self._shown.update(zip(contents, shown, strict=True))

    def candidate(self, sha256: str) -> Candidate:
        """Return the file that stands for a content."""
        found = self._candidates[self._row[sha256]]
        shown = self._shown.get(sha256, 1.0)
        return found if shown == 1.0 else replace(found, pixels=round(found.pixels * shown))

    def rank(self, sha256: str) -> tuple[Any, ...]:
        """Return what sorts the best to keep first; no two contents have one."""
        candidate = self.candidate(sha256)
        is_chosen = sha256 in self._decisions.keepers
        return (not is_chosen, *(standing(candidate) for standing, _ in self._steps), sha256)

    def reason(self, sha256s: Sequence[str]) -> str:
        """Return why the first of some contents is the keeper."""
        if sha256s[0] in self._decisions.keepers:
            return "chosen by a person"
        return elect([self.candidate(sha256) for sha256 in sha256s], self._steps)[1]

    def is_apart(self, one: str, two: str) -> bool:
        """Return whether two contents belong together as companions, or were told apart."""
        if self._decisions.is_apart(one, two):
            return True
        units = [self._unit_of.unit_of.get(self._row[sha256]) for sha256 in (one, two)]
        return units[0] is not None and units[0] is units[1]


def near_groups(
    fingerprints: pa.Table,
    categories: pa.Table,
    contents: pa.Table,
    signatures: SignatureBatches,
    *,
    scratch: Path,
    options: OrganizeOptions,
    source_url: str,
    destination_url: str,
    target: Target | None = None,
    thresholds: Mapping[str, float] | None = None,
    decisions: Decisions | None = None,
    tell: Callable[[str, float], None] = lambda _media, _threshold: None,
    workers: int = 1,
) -> pa.Table:
    """Return the groups of contents that are nearly the same, each with one keeper.

    Nothing in them is removable by a rule: only equal bytes ever are.

    Args:
        fingerprints: (n,) rows of `Fingerprint`.
        categories: (n,) rows of `CategoryRow`.
        contents: (k,) rows of `Content`.
        signatures: their signatures.
        scratch: an empty folder for what does not fit memory.
        options: keep rules, protected and preferred folders.
        source_url: canonical URL of the root.
        destination_url: canonical URL of where the job puts files.
        target: how that place compares names.
        thresholds: smallest similarity ratio by `NearMedia`; a kind without one has its own, by
            the collection's size.
        decisions: what people decided.
        tell: told each kind of media and the smallest similarity that was looked for.
        workers: threads.

    Returns:
        (m,) rows of `DuplicateRow`, sorted by group, the keeper first, then by key.

    Raises:
        InvalidError: the options' mode or template cannot be used.
    """
    files = sorted_files(fingerprints, categories)
    placer = Placer(options, source_url, destination_url, target)
    listed = to_rows(contents, Content)
    members = _Members(files, listed, options, placer, decisions or Decisions())
    rows: list[DuplicateRow] = []
    for truth_class, media, search in searches(signatures, scratch, thresholds or {}, workers):
        tell(media, search.threshold)
        names = search.contents
        if search.shown is not None:
            members.frame(names, search.shown.tolist())
        order = sorted(range(len(names)), key=lambda n: members.rank(names[n]))

        def is_apart(one: int, two: int, names: Sequence[str] = names) -> bool:
            return members.is_apart(names[one], names[two])

        for star in find_stars(order, search, is_apart=is_apart):
            rows += _rows_of(star, names, members, truth_class, media)
    rows.sort(key=lambda row: (row.group_id, not row.is_keeper, row.key))
    return to_table(rows, DuplicateRow)


def _rows_of(
    star: Star, names: Sequence[str], members: _Members, truth_class: TruthClass, media: str
) -> Iterator[DuplicateRow]:
    """Yield the keeper and the members of one group."""
    keeper = names[star.keeper]
    ratios = {keeper: 1.0} | {names[p.other]: p.similarity_ratio for p in star.members}
    reason = members.reason(list(ratios))
    for sha256, ratio in ratios.items():
        content = members.content[sha256]
        yield DuplicateRow(
            group_id=f"{media}-{keeper}",
            key=content.key,
            is_keeper=sha256 == keeper,
            truth_class=truth_class,
            similarity_ratio=ratio,
            size_bytes=content.size_bytes,
            is_hardlink=False,
            wasted_bytes=0 if sha256 == keeper else content.size_bytes,
            keep_reason=reason,
            is_removable=False,
        )
