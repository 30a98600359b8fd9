"""Signatures from the one read that fingerprints a file, kept by content, caught up with later."""

import random
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import av
import fingerprint_samples as samples
import numpy as np
import pytest
from test_fingerprint_malformed import Kept, KeptSignatures

from models.domain.duplicates import DuplicateRow
from models.domain.fingerprint import Fingerprint
from models.domain.near import SIGNATURE_VERSION, Content, NearMedia, PictureView, Signature
from models.domain.near_payload import MAXIMUM_PAYLOAD, checked, pack_problem, unpack
from storage.opening import canonical_url, open_store
from tasks.fingerprint.batch import Ports, Wishes, fingerprint_rows
from tasks.fingerprint.children import Parsed, ParserPool
from tasks.fingerprint.contents import near_contents
from tasks.fingerprint.nursery import Limits
from tasks.fingerprint.parsing import Request
from tasks.fingerprint.signing import LakeSignatures, sign_contents
from warehouse.schemas.arrow import arrow_schema, to_rows, to_table
from warehouse.store.parts import open_lake

EVERYTHING = frozenset(NearMedia)
FILES = 1000
SEED = 20_251_125
DAMAGED = {"jpg", "png", "gif", "webp", "tif", "bmp", "avif", "pdf", "mp4"}
SOUNDS = {"mp3": "libmp3lame", "flac": "flac", "opus": "libopus", "m4a": "aac"}


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    limits = Limits(memory_bytes=1_000_000_000, cpu_s=10, children=2)
    with ParserPool(limits) as opened:
        yield opened


class Counting:
    """A store or a parser whose calls are counted by name."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.calls = Counter[str]()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)

        def counted(*arguments: Any, **named: Any) -> Any:
            self.calls[name] += 1
            return method(*arguments, **named)

        return counted


def wishes(sign: frozenset[str] = EVERYTHING) -> Wishes:
    return Wishes(latest=datetime(2030, 1, 1), threads=2, sign=sign)  # noqa: DTZ001 - a wall clock's


def tree(folder: Path) -> Path:
    """Samples of every kind, a long text, and a copy of a picture."""
    folder.mkdir()
    for name, data in samples.samples().items():
        (folder / name).write_bytes(data)
    story = " ".join(f"word{n * n % 997}" for n in range(400))
    (folder / "story.txt").write_text(story)
    (folder / "story.pdf").write_bytes(samples.pdf(text=story))
    return folder


def listed(store: Any) -> list[Any]:
    return [row for page in store.list_pages() for row in page.rows]


def contents_of(made: list[Fingerprint]) -> list[Content]:
    duplicates = arrow_schema(DuplicateRow).empty_table()
    rows = to_rows(near_contents(to_table(made, Fingerprint), duplicates, EVERYTHING), Content)
    return list({row.sha256: row for row in rows}.values())


def fingerprinted(
    folder: Path, pool: Any, signatures: Any, sign: frozenset[str] = EVERYTHING
) -> tuple[list[Fingerprint], Counting, Counting]:
    store, parser = Counting(open_store(canonical_url(str(folder)))), Counting(pool)
    ports = Ports(source=store, parser=parser, thumbnails=Kept(), signatures=signatures)
    made = fingerprint_rows(listed(store.inner), ports, wishes(sign))
    return made, store, parser


def test_a_fresh_tree_is_read_and_parsed_once_for_everything(tmp_path: Path, pool: ParserPool):
    folder = tree(tmp_path / "in")
    signatures = LakeSignatures(open_lake(str(tmp_path / "lake")))
    made, store, parser = fingerprinted(folder, pool, signatures)
    signatures.save()
    assert store.calls["open"] == len(made) == len(list(folder.iterdir()))
    assert store.calls["read_range"] == 0
    assert parser.calls["parse"] <= len(made)
    contents = contents_of(made)
    assert {content.kind for content in contents} == EVERYTHING
    later, again = Counting(store.inner), Counting(pool)
    kept = LakeSignatures(open_lake(str(tmp_path / "lake")))
    assert sign_contents(contents, source=later, parser=again, signatures=kept, threads=2) == []
    assert not later.calls
    assert not again.calls


def test_what_catching_up_makes_is_the_same_to_the_byte(tmp_path: Path, pool: ParserPool):
    folder = tree(tmp_path / "in")
    at_once, later = KeptSignatures(), KeptSignatures()
    made, store, _ = fingerprinted(folder, pool, at_once)
    contents = contents_of(made)
    failed = sign_contents(contents, source=store, parser=pool, signatures=later, threads=2)
    assert failed == [row for row in later.rows.values() if row.problem]
    assert later.rows == {content.sha256: at_once.rows[content.sha256] for content in contents}
    assert any(row.payload for row in later.rows.values())


def test_still_pictures_are_signed_unasked_and_nothing_else_is(tmp_path: Path, pool: ParserPool):
    signatures = KeptSignatures()
    made, _, _ = fingerprinted(tree(tmp_path / "in"), pool, signatures, frozenset())
    kinds = {content.sha256: content.kind for content in contents_of(made)}
    assert {kinds[sha256] for sha256 in signatures.rows if sha256 in kinds} == {NearMedia.IMAGE}
    views = [unpack(row.payload, row.sha256) for row in signatures.rows.values()]
    assert any(isinstance(view, PictureView) for rows in views for view in rows)


class DiesOfSigning:
    """A parser whose child dies of every signature."""

    def __init__(self, pool: ParserPool) -> None:
        self.pool = pool
        self.label = pool.label

    def parse(self, request: Request, *, blob: Any, fetch: Any) -> Parsed:
        if request.signature:
            return Parsed(facts={"problem": "corrupt: its parser died (signal 11)"}, is_dead=True)
        return self.pool.parse(request, blob=blob, fetch=fetch)


def test_a_child_that_dies_of_a_signature_costs_no_facts(tmp_path: Path, pool: ParserPool):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(samples.jpeg())
    signatures = KeptSignatures()
    made, store, _ = fingerprinted(folder, DiesOfSigning(pool), signatures)
    assert (made[0].width, made[0].problem) == (640, None)
    assert made[0].thumbnail is not None
    assert signatures.rows == {}
    failed = sign_contents(
        contents_of(made),
        source=store,
        parser=DiesOfSigning(pool),
        signatures=signatures,
        threads=1,
    )
    assert [row.problem for row in failed] == ["corrupt: its parser died (signal 11)"]
    assert signatures.rows == {}


def row_of(number: int, payload: bytes = b"", problem: str | None = None) -> Signature:
    return Signature(
        sha256=f"{number:064x}", version=SIGNATURE_VERSION, payload=payload, problem=problem
    )


def test_packs_hold_what_was_saved_and_are_found_by_content(tmp_path: Path):
    lake = open_lake(str(tmp_path / "lake"))
    one, two = LakeSignatures(lake), LakeSignatures(lake)
    one.put(row_of(2))
    one.put(row_of(1))
    two.put(row_of(2))
    two.put(row_of(3, problem="unsupported: no parser"))
    assert one.has(row_of(1).sha256)
    assert not two.has(row_of(1).sha256)
    one.save()
    two.save()
    two.save()
    found = LakeSignatures(lake)
    assert [found.has(row_of(n).sha256) for n in range(5)] == [False, True, True, True, False]
    packs = {n: found.packs_of([row_of(n).sha256]) for n in (1, 2, 3, 4)}
    assert [len(packs[n]) for n in (1, 2, 3, 4)] == [1, 2, 1, 0]
    assert to_rows(lake.read(packs[1][0]), Signature) == [row_of(1), row_of(2)]
    shutil.rmtree(tmp_path / "lake" / "signatures")
    assert not LakeSignatures(lake).has(row_of(1).sha256)


def test_what_a_child_answers_is_checked():
    assert checked(b"") == (b"", None)
    assert checked(pack_problem("corrupt: so")) == (b"", "corrupt: so")
    for nonsense in (b"P123", b"Z", b"S" + bytes(8), b"T" + bytes(MAXIMUM_PAYLOAD)):
        payload, problem = checked(nonsense)
        assert payload == b""
        assert problem is not None


def sound(path: Path, codec: str) -> bytes:
    """Four seconds of chords, encoded."""
    rate = 48_000
    time = np.arange(4 * rate) / rate
    pitches = 220 * 2 ** (np.floor(time * 3) % 12 / 12)
    samples_ = sum(np.sin(2 * np.pi * pitches * n * time) / n for n in (1, 2, 3)) * 8_000
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples_.astype(np.int16)[None, :], "s16", "mono")
        frame.rate = rate
        resampler = av.AudioResampler(stream.format, stream.layout, rate, stream.frame_size or 1024)
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    data = path.read_bytes()
    path.unlink()
    return data


def damaged(folder: Path) -> None:
    """A thousand damaged pictures, PDFs, sounds and films."""
    rng = random.Random(SEED)
    folder.mkdir()
    found = {
        name: data for name, data in samples.samples().items() if name.rsplit(".", 1)[-1] in DAMAGED
    }
    assert len(found) == len(DAMAGED)
    found |= {f"s.{name}": sound(folder / f"s.{name}", codec) for name, codec in SOUNDS.items()}
    sources = sorted(found.items())
    for number in range(FILES):
        name, data = sources[number % len(sources)]
        (folder / f"{number:04d}-{name}").write_bytes(samples.mutations(rng, data))


@pytest.mark.timeout(600)
def test_no_child_dies_of_a_thousand_damaged_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    damaged(tmp_path / "in")
    signatures = KeptSignatures()
    with ParserPool(Limits(memory_bytes=512_000_000, cpu_s=10, children=2)) as pool:
        made, store, _ = fingerprinted(tmp_path / "in", pool, signatures)
        failed = sign_contents(
            contents_of(made), source=store, parser=pool, signatures=signatures, threads=2
        )
        deaths = pool.deaths
    assert len(made) == FILES
    assert all(row.sha256 for row in made)
    unsigned = [row.problem for row in signatures.rows.values() if row.problem]
    with capsys.disabled():
        print(
            f"\n{FILES} damaged files: {len(signatures.rows) - len(unsigned)} signed,"
            f" {len(unsigned)} cannot be, {len(failed)} again, {deaths} parsing children died"
        )
    assert deaths == 0
