"""What is new: exactly what differs, in any order of rows."""

import random
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from operator import attrgetter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain.errors import StaleError
from models.domain.fingerprint import Fingerprint, index_profile
from models.domain.manifest import ListingProblem, ManifestRow
from storage.store import ListingColumns
from tasks.manifest.core import COMPARED, collect, compare, digest_of, known, refuse_vanished
from warehouse.schemas.arrow import to_rows, to_table

ROWS = st.builds(
    ManifestRow,
    key=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6),
    size_bytes=st.integers(0, 3),
    modified_ns=st.integers(0, 3),
    version=st.sampled_from(["1", "2"]),
    inode=st.sampled_from([None, 7, 8]),
)
COLUMNS = [field.name for field in fields(ManifestRow)]
LISTINGS = st.lists(ROWS, unique_by=lambda row: row.key, max_size=12)


def row(key: str = "a", **changes: Any) -> ManifestRow:
    return replace(
        ManifestRow(key=key, size_bytes=1, modified_ns=2, version="v", inode=3), **changes
    )


def page(*rows: ManifestRow, problems: Sequence[ListingProblem] = ()) -> ListingColumns:
    columns: Any = {name: [getattr(item, name) for item in rows] for name in COLUMNS}
    return ListingColumns(**columns, problems=[*problems])


def read(found: ManifestRow, sha256: str | None = "0" * 64) -> Fingerprint:
    return Fingerprint(**asdict(found), sha256=sha256)


def keys(listing: list[ManifestRow], last: list[Fingerprint], *, verify: bool = False):
    index = to_table(last, Fingerprint)
    result = compare(to_table(listing, ManifestRow), index.select(list(COMPARED)), verify=verify)
    changed = to_rows(result.changed, ManifestRow)
    batches = [index.slice(first, 2) for first in range(0, index.num_rows, 2)]
    held = [row for each in known(batches, result.holds) for row in to_rows(each, Fingerprint)]
    return [item.key for item in changed], sorted(item.key for item in held), result.vanished


def test_unchanged_files_are_carried_over_and_the_rest_is_read():
    listing = [row("a"), row("b"), row("new")]
    last = [read(row("b")), read(row("a")), read(row("gone"))]
    assert keys(listing, last) == (["new"], ["a", "b"], 1)


@pytest.mark.scenario(26)
@pytest.mark.parametrize(
    "change",
    [{"inode": 4}, {"inode": None}, {"version": "w"}, {"modified_ns": 3}, {"size_bytes": 0}],
)
def test_any_difference_means_reading_again(change: dict[str, Any]):
    assert keys([row(**change)], [read(row())]) == (["a"], [], 0)


def test_a_file_that_could_not_be_read_is_read_now():
    assert keys([row()], [read(row(), sha256=None)]) == (["a"], [], 0)


def test_storage_without_inodes_is_incremental_too():
    assert keys([row(inode=None)], [read(row(inode=None))]) == ([], ["a"], 0)


def test_verify_reads_everything():
    assert keys([row("b"), row("a")], [read(row("a"))], verify=True) == (["a", "b"], [], 0)


def test_no_last_index_means_reading_everything():
    result = compare(to_table([row("b"), row("a")], ManifestRow), None, verify=False)
    assert (result.changed.num_rows, len(result.holds), result.vanished) == (2, 0, 0)


@settings(deadline=None)  # the machine is shared
@given(LISTINGS, LISTINGS, st.randoms(use_true_random=False))
def test_order_never_matters_and_every_file_is_in_one_part(
    listing: list[ManifestRow], before: list[ManifestRow], rng: random.Random
):
    last = [read(item) for item in before]
    changed, carried, vanished = keys(listing, last)
    assert sorted([*changed, *carried]) == sorted(item.key for item in listing)
    assert (changed, carried) == (sorted(changed), sorted(carried))
    same = {item.key: item for item in before}
    assert set(carried) == {item.key for item in listing if same.get(item.key) == item}
    assert vanished == len(same.keys() - {item.key for item in listing})
    rng.shuffle(listing)
    rng.shuffle(last)
    assert keys(listing, last) == (changed, carried, vanished)


def test_pages_become_sorted_tables():
    problem = ListingProblem(key="z", reason="a socket")
    rows, problems = collect(
        [page(row("b"), row("a")), page(problems=[problem]), page(row("0", device=4))]
    )
    assert [item.key for item in to_rows(rows, ManifestRow)] == ["0", "a", "b"]
    assert to_rows(rows, ManifestRow)[0] == row("0", device=4)
    assert to_rows(problems, ListingProblem) == [problem]


@given(listing=LISTINGS, other=LISTINGS)
@settings(max_examples=100, deadline=None)  # the first example imports Polars
def test_a_digest_tells_listings_apart(listing: list[ManifestRow], other: list[ManifestRow]):
    def digest(rows: list[ManifestRow], identity: str = "disk"):
        return digest_of(*collect([page(*rows)]), identity=identity)

    key = attrgetter("key")
    is_same = sorted(listing, key=key) == sorted(other, key=key)
    assert (digest(listing) == digest(other)) is is_same
    assert digest(listing) != digest(listing, "another")


def test_what_can_be_no_row_is_part_of_the_digest():
    problem = ListingProblem(key="z", reason="a socket")
    without = digest_of(*collect([page(row())]), identity="disk")
    assert digest_of(*collect([page(row(), problems=[problem])]), identity="disk") != without


@pytest.mark.scenario(25)
def test_an_empty_root_that_is_another_one_is_refused_and_an_emptied_one_is_not():
    with pytest.raises(StaleError, match="not mounted"):
        refuse_vanished(listed=0, last=5, before="disk-1", now="disk-2")
    refuse_vanished(listed=0, last=5, before="disk-1", now="disk-1")
    refuse_vanished(listed=0, last=0, before="disk-1", now="disk-2")
    refuse_vanished(listed=3, last=5, before="disk-1", now="disk-2")


def test_positions_are_another_profile():
    assert index_profile(read_gps=True) != index_profile(read_gps=False)
