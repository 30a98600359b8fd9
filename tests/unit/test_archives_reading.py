"""Members of archives: listed and hashed, whatever the archive does; nothing is unpacked."""

import hashlib
import random

import archive_samples as samples
import pytest

from models.domain.archives import Listing, Member, MemberProblem, pack_listing, unpack_listing
from models.domain.fingerprint import Problem
from tasks.fingerprint import archive_libarchive, archive_members
from tasks.fingerprint.archive_formats import LABELS
from tasks.fingerprint.archive_listings import archive_contents, batches_of
from tasks.fingerprint.archives import listing_of, shown_name
from tasks.fingerprint.parsing import Request, parse
from tasks.fingerprint.signatures import sniff
from tasks.fingerprint.sources import FetchedFile

needs_libarchive = pytest.mark.skipif(
    not archive_libarchive.is_available(), reason="libarchive is not installed"
)


def listed(label: str, data: bytes) -> Listing:
    request = Request(kind="archive", label=label, size_bytes=len(data))
    answer = parse(request, FetchedFile(None, len(data), bytearray(data), 0))
    assert "problem" not in answer.facts
    return unpack_listing(answer.thumbnail)


def digests(listing: Listing) -> dict[str, str | None]:
    return {member.path: member.sha256 for member in listing.members}


def problems(listing: Listing) -> dict[str, str | None]:
    """Kinds of problems by member."""
    return {each.path: (each.problem or "").partition(":")[0] or None for each in listing.members}


EXPECTED = {name: hashlib.sha256(data).hexdigest() for name, data in samples.FILES.items()}


@pytest.mark.parametrize("name", samples.sound())
def test_every_format_tells_the_same_members(name):
    label, data = samples.sound()[name]
    assert sniff(data[:8192]) == label
    listing = listed(label, data)
    assert listing.problem is None
    assert digests(listing) == EXPECTED
    assert {each.path: each.size_bytes for each in listing.members} == {
        path: len(content) for path, content in samples.FILES.items()
    }


@pytest.mark.parametrize("name", samples.single())
def test_one_compressed_file_is_one_member_without_a_name(name):
    listing = listed(*samples.single()[name])
    assert digests(listing) == {"": EXPECTED["a.txt"]}


@needs_libarchive
def test_one_file_in_zstandard_is_one_member():
    data = samples.through_libarchive({"a": samples.FILES["a.txt"]}, "raw", "zstd")
    assert digests(listed("zst", data)) == {"": EXPECTED["a.txt"]}


def test_an_archive_in_an_archive_is_a_member():
    inner = samples.zip_of(samples.FILES)
    listing = listed("zip", samples.zip_of({"inner.zip": inner}))
    assert digests(listing) == {"inner.zip": hashlib.sha256(inner).hexdigest()}


def test_links_and_devices_have_no_content_and_hardlinks_have_their_targets():
    listing = listed("tar", samples.with_links())
    assert problems(listing) == {
        "file": None,
        "soft": "link",
        "hard": None,
        "lost": "link",
        "device": "special",
    }
    assert digests(listing)["hard"] == digests(listing)["file"]
    assert problems(listed("zip", samples.with_zip_link())) == {"link": "link"}


def test_what_needs_a_password_is_told_and_the_rest_is_read():
    listing = listed("zip", samples.marked_encrypted())
    assert problems(listing) == {"locked": "encrypted", "open": None}


@needs_libarchive
def test_an_encrypted_7z_says_so():
    assert set(problems(listed("sevenzip", samples.ENCRYPTED_DATA)).values()) == {"encrypted"}
    hidden = listed("sevenzip", samples.ENCRYPTED_HEADER)
    assert hidden.problem is not None
    assert "encrypted" in hidden.problem


def test_without_libarchive_it_is_said_what_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "libarchive", None)
    for label, data in (("sevenzip", samples.ENCRYPTED_DATA), ("zst", b"\x28\xb5\x2f\xfd1234")):
        problem = listed(label, data).problem
        assert problem is not None
        assert problem.startswith(Problem.UNSUPPORTED)
        assert "libarchive13" in problem


def test_names_that_lead_out_are_told_and_their_contents_compared():
    listing = listed(
        "zip", samples.zip_of({"../../up": b"1", "/abs": b"2", "C:/x": b"3", "a": b"4"})
    )
    assert problems(listing) == {
        "../../up": "unsafe name",
        "/abs": "unsafe name",
        "C:/x": "unsafe name",
        "a": None,
    }
    assert all(each.sha256 for each in listing.members)
    assert (
        shown_name("a\nb\udcff\u202e")[0]
        == "a\N{REPLACEMENT CHARACTER}b\\xff\N{REPLACEMENT CHARACTER}"
    )
    assert len(shown_name("x" * 5000)[0]) == 1024


def test_members_whose_bytes_overlap_are_not_read():
    listing = listed("zip", samples.overlapping())
    assert len(listing.members) == 2000
    assert set(problems(listing).values()) == {"overlapping"}


def test_what_unpacks_to_far_too_much_is_left(monkeypatch):
    monkeypatch.setattr(archive_members, "RATIO_FREE_BYTES", 10 << 20)
    for label, data in (
        ("gzip", samples.gzip_bomb(40)),
        ("zip", samples.zip_of({"zeros": bytes(40 << 20), "after": b"x"})),
    ):
        listing = listed(label, data)
        assert listing.problem is not None
        assert "250 times" in listing.problem
    monkeypatch.setattr(archive_members, "MAX_UNPACKED_BYTES", 1000)
    listing = listed("zip", samples.zip_of({"a": b"x" * 900, "b": b"y" * 900}))
    assert listing.problem is not None
    assert digests(listing) == {"a": hashlib.sha256(b"x" * 900).hexdigest()}


def test_looking_stops_when_its_time_is_over():
    data = samples.zip_of({"a": b"x", "b": b"y"})
    request = Request(kind="archive", label="zip", size_bytes=len(data))
    listing = listing_of(request, FetchedFile(None, len(data), bytearray(data), 0), cpu_s=0.0)
    assert listing.members == ()
    assert listing.problem is not None
    assert listing.problem.startswith(Problem.LIMITED)


def test_too_many_members_are_told_before_or_while_they_are_listed(monkeypatch):
    assert "200,000 members" in (listed("zip", samples.claims_many_members()).problem or "")
    monkeypatch.setattr(archive_members, "MAX_MEMBERS", 50)
    listing = listed("tar", samples.tar_of({f"{n:03}": b"" for n in range(60)}))
    assert len(listing.members) == 50
    assert listing.problem is not None
    assert listing.problem.startswith(Problem.LIMITED)


def test_what_is_cut_short_tells_what_came_before():
    files = {f"{n}": bytes([n]) * 2000 for n in range(9)}
    whole = samples.tar_of(files)
    for cut in (len(whole) - 10240, 512 * 7, 512 * 7 + 100, 100):
        listing = listed("tar", whole[:cut])
        assert listing.problem is not None
        assert all(
            each.sha256 == hashlib.sha256(files[each.path]).hexdigest()
            for each in listing.members
            if each.sha256
        )
    cut = listed(
        "gzip", samples.tar_of({**files, "z": random.Random(1).randbytes(90_000)}, "w:gz")[:50_000]
    )
    assert cut.problem is not None
    assert len([each for each in cut.members if each.sha256]) == 9
    assert listed("zip", samples.zip_of(files)[:-30]).problem is not None
    broken = bytearray(samples.zip_of({"a": random.Random(1).randbytes(500), "b": b"2"}))
    broken[100] ^= 1
    assert problems(listed("zip", bytes(broken))) == {"a": "unreadable", "b": None}


def test_damage_anywhere_never_raises():
    rng = random.Random(5)
    for label, data in samples.sound().values():
        for _ in range(40):
            broken = bytearray(data)
            for _ in range(rng.randint(1, 6)):
                broken[rng.randrange(len(broken))] = rng.randrange(256)
            if rng.random() < 0.3:
                del broken[rng.randrange(len(broken)) :]
            found = {each.sha256 for each in listed(label, bytes(broken)).members}
            if label == "zip":  # each member has a checksum of its own
                assert found <= {*EXPECTED.values(), None}


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"nonsense",
        pack_listing(Listing())[:-3],
        pack_listing(Listing(members=(Member(path="a", size_bytes=-1),))),
        pack_listing(Listing(members=(Member(path="a", size_bytes=1, sha256="zz"),))),
        pack_listing(Listing(members=(Member(path="\ud800", size_bytes=1),))),
    ],
)
def test_nonsense_from_a_child_is_no_listing(payload):
    with pytest.raises(ValueError):
        unpack_listing(payload)


def test_listings_travel():
    member = Member(
        path="a", size_bytes=1, sha256="0" * 64, problem=MemberProblem.LINK.because("x")
    )
    listing = Listing(members=(member,), problem="limited: x", cpu_s=3)
    assert unpack_listing(pack_listing(listing)) == listing


def test_archives_are_shared_among_tasks_by_their_bytes():
    assert batches_of([], most=10) == []
    assert batches_of([1] * 250, most=1000) == [(0, 100), (100, 200), (200, 250)]
    assert batches_of([400 << 20, 400 << 20, 1, 2 << 30], most=1000) == [(0, 1), (1, 3), (3, 4)]
    assert len(batches_of([1 << 30] * 5000, most=1000)) <= 1000


def test_documents_are_no_archives(tmp_path):
    from plan_trees import Item, tables

    shown = {"content_label": "zip"}
    tree = {
        "b.zip": Item("1", facts=shown),
        "a.zip": Item("1", facts=shown),
        "c.docx": Item("2", facts={"content_label": "docx"}),
        "d.zip": Item("3", facts={**shown, "sha256": None}),
    }
    rows = archive_contents(tables(tree)[0]).to_pylist()
    assert [(row["key"], row["label"]) for row in rows] == [("a.zip", "zip")]
    assert "docx" not in LABELS
