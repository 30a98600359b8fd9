"""2,899 real files: hashes, kinds and capture dates against the truth that came with them."""

import csv
import hashlib
from collections import Counter
from datetime import datetime
from functools import cache

import fingerprint_samples as samples
import pytest
from test_fingerprint_malformed import Kept, KeptSignatures

from models.domain.fingerprint import Fingerprint
from storage.opening import canonical_url, open_store
from tasks.categorize.rules import CertainRules
from tasks.fingerprint.batch import Ports, Wishes, fingerprint_rows
from tasks.fingerprint.children import ParserPool
from tasks.fingerprint.nursery import Limits

pytestmark = pytest.mark.skipif(
    not (samples.SHARED / "truth.csv").is_file(), reason="no ../shared/data beside the repository"
)


@cache
def truth() -> list[dict[str, str]]:
    with (samples.SHARED / "truth.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def thumbnails() -> Kept:
    return Kept()


@pytest.fixture(scope="module")
def made(thumbnails: Kept) -> dict[str, Fingerprint]:
    store = open_store(canonical_url(str(samples.SHARED)))
    rows = [row for page in store.list_pages() for row in page.rows]
    wishes = Wishes(latest=datetime(2026, 12, 31), threads=2)  # noqa: DTZ001 - a wall clock's time
    with ParserPool(Limits(memory_bytes=1_000_000_000, cpu_s=10, children=2)) as pool:
        ports = Ports(source=store, parser=pool, thumbnails=thumbnails, signatures=KeptSignatures())
        found = fingerprint_rows(rows, ports, wishes)
        assert pool.deaths == 0
    return {row.key: row for row in found}


def test_every_file_has_the_hashes_it_should(made: dict[str, Fingerprint]):
    assert len(truth()) == 2899
    for row in truth():
        found = made[row["path"]]
        assert (found.sha256, found.size_bytes) == (row["sha256"], int(row["bytes"]))
        content = (samples.SHARED / row["path"]).read_bytes()
        assert found.md5 == hashlib.md5(content, usedforsecurity=False).hexdigest()


def test_kinds_agree_with_the_truth(
    made: dict[str, Fingerprint], capsys: pytest.CaptureFixture[str]
):
    """The truth's kinds come from names: `other` is every extension its authors did not list.

    Where they name a kind we agree for 99 %; of their `other` we name what the content shows
    (spreadsheets of Lotus and Quattro, templates of Office, sound files called `.x`), which costs
    3.5 % of plain agreement.
    """
    pairs = Counter((row["kind"], str(made[row["path"]].media)) for row in truth())
    named = Counter({pair: count for pair, count in pairs.items() if pair[0] != "other"})
    agreement = sum(count for (kind, media), count in pairs.items() if kind == media)
    agreement_named = sum(count for (kind, media), count in named.items() if kind == media)
    with capsys.disabled():
        missed = {pair: count for pair, count in pairs.items() if pair[0] != pair[1]}
        print(f"\nkinds: {agreement / pairs.total():.4f} of all, ", end="")
        print(f"{agreement_named / named.total():.4f} of those the truth names; {missed}")
    assert agreement_named / named.total() >= 0.99
    assert agreement / pairs.total() >= 0.955


@pytest.mark.scenario(39)
def test_every_capture_date_is_the_one_used(made: dict[str, Fingerprint]):
    dated = [row for row in truth() if row["taken"]]
    assert len(dated) == 45
    real = [row for row in dated if not row["taken"].startswith("0000")]
    assert len(real) == 40
    for row in real:
        found = made[row["path"]]
        assert found.captured_at == row["taken"].replace(":", "-", 2).replace(" ", "T")
        assert found.captured_source == "exif"
    for row in dated:
        found = made[row["path"]]
        assert (found.camera_make or "").strip() == row["make"].strip()
        if row["taken"].startswith("0000"):
            assert (found.captured_flag, found.captured_source) == ("zeroed", "modified")


def test_no_position_is_read_unasked(made: dict[str, Fingerprint]):
    assert all(found.latitude is None and found.longitude is None for found in made.values())


def test_orientations_are_applied(made: dict[str, Fingerprint]):
    turned = [row for key, row in made.items() if key.startswith("orientation/")]
    for row in turned:
        assert (row.width or 0) > (row.height or 0) or "Portrait" in row.key
    assert len(turned) == 18


def test_thumbnails_are_one_for_each_content(made: dict[str, Fingerprint], thumbnails: Kept):
    for row in made.values():
        if row.thumbnail is not None:
            assert row.thumbnail == f"thumbnails/{row.sha256[:2]}/{row.sha256}.webp"  # type: ignore[index]
            assert row.sha256 in thumbnails.pictures
    decodable = [row for row in made.values() if row.content_label == "jpeg" and not row.problem]
    assert all(row.thumbnail for row in decodable)


def test_photos_and_mails_are_categorized_as_what_they_are(made: dict[str, Fingerprint]):
    rows = {row["path"]: CertainRules.decide(made[row["path"]]) for row in truth()}
    photos = [row["path"] for row in truth() if row["category"] == "photo"]
    right = sum(rows[path].category == "Photos" for path in photos)
    assert right / len(photos) >= 0.97
    for row in truth():
        if row["kind"] == "email" and made[row["path"]].problem is None:
            assert rows[row["path"]].category == "Mail and chat"
        if row["category"] == "screenshot":
            assert rows[row["path"]].subcategory == "Screenshots"
