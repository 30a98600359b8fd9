"""Advice is true, has its figures, and is silent where there is nothing to say."""

from hypothesis import given
from hypothesis import strategies as st

from models.domain.activity import EventType, told
from models.domain.insights import Folder, Holdings, in_words, insights

EMPTY = {
    "used_bytes": 0,
    "quota_bytes": 5 * 10**9,
    "files": 0,
    "bytes": 0,
    "duplicates": 0,
    "duplicate_bytes": 0,
}
NUMBERS = st.integers(0, 10**15)


def test_sizes_in_words():
    assert [in_words(n) for n in (0, 999, 1000, 2_800_000_000, 10**18)] == [
        "0 bytes",
        "999 bytes",
        "1.0 kB",
        "2.8 GB",
        "1000.0 PB",
    ]


def test_nothing_is_said_of_an_empty_account():
    assert insights(Holdings(**EMPTY)) == []


def test_everything_that_is_worth_saying_with_its_figures():
    held = Holdings(
        used_bytes=4_500_000_000,
        quota_bytes=5_000_000_000,
        files=5420,
        bytes=12_500_000_000,
        duplicates=340,
        duplicate_bytes=2_875_000_000,
        near=(12, 90_000_000),
        stale_files=1,
        stale_bytes=70_000_000,
        trash_files=3,
        trash_bytes=5_000_000,
        undecided_files=7,
        folders=(Folder(path="old/2019", files=1200, bytes=6_250_000_000),),
    )
    assert {each.kind: each.text for each in insights(held)} == {
        "storage_nearly_full": "4.5 GB of 5.0 GB are in use, 90%.",
        "duplicates": (
            "340 files are duplicates of equal bytes and take 2.9 GB, 23% of everything."
        ),
        "near_duplicates": (
            "12 groups of files look or read nearly alike; keeping one of each would free 90.0 MB."
        ),
        "largest_folder": (
            "“old/2019” is the largest folder: 1,200 files, 6.2 GB, 50% of everything."
        ),
        "stale_files": "1 file was not changed for two years: 70.0 MB.",
        "trash": "3 files in the trash still take 5.0 MB of your storage.",
        "needs_review": "7 files wait for somebody to say what they are.",
    }


@given(
    st.builds(
        Holdings,
        **dict.fromkeys(EMPTY, NUMBERS),
        near=st.none() | st.tuples(NUMBERS, NUMBERS),
        stale_bytes=NUMBERS,
        trash_bytes=NUMBERS,
        folders=st.lists(
            st.builds(Folder, path=st.text(max_size=5), files=NUMBERS, bytes=NUMBERS), max_size=2
        ).map(tuple),
    )
)
def test_whatever_is_held_each_sentence_is_one_and_leads_somewhere(held):
    found = insights(held)
    assert len({each.kind for each in found}) == len(found)
    for each in found:
        assert each.text.endswith(".")
        assert each.link.startswith("/")
        assert each.figures


def test_events_in_words_whatever_they_hold():
    assert told("job.ended", {"kind": "undo", "status": "failed", "files_processed": 3}) == (
        "Undoing a job failed: 3 files"
    )
    for each in EventType:
        assert told(each, {})
