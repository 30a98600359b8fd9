"""Understanding files through its edges: real Postgres, a lake on disk, tiny models."""

import importlib.util
import uuid
import wave
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from tiny_models import tiny_clip_folder, tiny_sentence_folder

from flows.understanding import said_of, understood
from models.ai.pulling import pull
from models.domain.categories import CategoryRow
from models.domain.embeddings import (
    ContentGuess,
    EmbeddingRow,
    Keyframe,
    TextContent,
    TextEvidence,
    Tower,
)
from models.domain.jobs import Job, JobKind, JobStatus
from models.domain.table_refs import TableRef
from models.domain.taxonomy import Correction
from models.settings import Settings
from storage.opening import canonical_url
from tasks.categorize.core import OPEN_BELOW
from tasks.categorize.embedders import image_embedder, shelf_of, text_embedder
from tasks.categorize.looks_task import (
    embed_film_batch,
    list_pictures,
    list_unseen,
    understand_films,
    understand_pictures,
)
from tasks.categorize.task import categorize
from tasks.categorize.understand_task import (
    NOT_INCLUDED,
    picture_refusal,
    refusal,
    settle_categories,
    understand_texts,
    understanding_of,
)
from tasks.fingerprint.evidence_task import evidence_batch, list_texts
from tasks.fingerprint.keyframes_task import keyframe_batch, list_recordings
from tasks.fingerprint.task import fingerprint_batch, merge_fingerprints
from tasks.fingerprint.texts_task import list_searchable, list_unread_texts
from tasks.ledger.ledger import open_ledger
from tasks.lifecycle.core import JobRun, run_job
from tasks.manifest.task import list_manifest
from warehouse.schemas.arrow import to_rows
from warehouse.schemas.contents import EMBEDDINGS
from warehouse.store.delta import Warehouse
from warehouse.store.parts import open_lake

FILES = {
    "a/words.txt": "invoice amount due pay total number " * 30,
    "b/copy.txt": "invoice amount due pay total number " * 30,
    "c.md": "# blood\n\nresult of the patient, contract party agree\n" * 20,
    "empty.txt": "",
    "song.mp3": "no song",
}


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lake = open_lake(Settings().lake)
        with open_ledger(Settings()) as ledger:
            self.root_id = ledger.root_for(canonical_url(str(folder))).id

    def job(self, snapshot: dict[str, Any] | None = None) -> Job:
        with open_ledger(Settings()) as ledger:
            url = ledger.root(self.root_id).url
            return ledger.create_job(
                Job(
                    id=str(uuid.uuid4()),
                    kind=JobKind.REINDEX,
                    account_id=ledger.local_account(),
                    status=JobStatus.PENDING,
                    source_url=url,
                    destination_url=url,
                    source_root_id=self.root_id,
                    destination_root_id=self.root_id,
                    created_at=datetime(2026, 1, 1, tzinfo=UTC),
                    entitlement_snapshot=snapshot,
                )
            )

    def ruled(self, job_id: str) -> tuple[TableRef, TableRef]:
        listed = list_manifest.fn(job_id, self.root_id)
        part = fingerprint_batch.fn(job_id, self.root_id, 0, listed.changed, 0, listed.changed.rows)
        merged = merge_fingerprints.fn(job_id, self.root_id, [part], listed.known)
        return merged, categorize.fn(job_id, merged)

    def understood(self, job_id: str) -> tuple[list[TextEvidence], dict[str, CategoryRow]]:
        fingerprints, categories = self.ruled(job_id)
        contents = list_texts.fn(job_id, fingerprints, categories, OPEN_BELOW)
        evidence = evidence_batch.fn(job_id, self.root_id, 0, contents, 0, contents.rows)
        guesses = understand_texts.fn(job_id, 0, contents, evidence, 0, contents.rows)
        settled = settle_categories.fn(job_id, fingerprints, categories, [guesses])
        rows = to_rows(self.lake.read(settled), CategoryRow)
        assert [row.key for row in rows] == sorted(FILES)
        texts = to_rows(self.lake.read(evidence), TextEvidence)
        return texts, {row.key: row for row in rows}

    def embedded(self) -> list[EmbeddingRow]:
        dataset = Warehouse(self.lake).dataset(EMBEDDINGS)
        return [] if dataset is None else to_rows(dataset.to_table(), EmbeddingRow)


@pytest.fixture
def world(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("FILEORGANIZER_DATABASE_URL", database_url)
    monkeypatch.setenv("FILEORGANIZER_HOME", str(tmp_path / "home"))
    model = tiny_sentence_folder(tmp_path / "tiny")
    monkeypatch.setenv("FILEORGANIZER_TEXT_MODEL", f"local-dir:{model}")
    monkeypatch.setenv("FILEORGANIZER_IMAGE_MODEL", "off")
    monkeypatch.setenv("FILEORGANIZER_REVIEW_BELOW", "0")
    for name, text in FILES.items():
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return World(tmp_path / "files")


def test_texts_are_read_embedded_decided_once_and_the_same_again(world: World):
    assert refusal(world.job()) is None
    texts, rows = world.understood(world.job().id)
    assert len(texts) == 2  # equal contents once, the empty one not at all
    assert all(text.text and text.problem is None for text in texts)
    model_id = text_embedder(Settings()).model_id
    for key in ("a/words.txt", "b/copy.txt", "c.md"):
        assert rows[key].decided_by.startswith(model_id)
        assert rows[key].alternatives
    assert rows["a/words.txt"].reason == rows["b/copy.txt"].reason
    assert rows["song.mp3"].decided_by.startswith("rules")
    made = world.embedded()
    assert len({row.sha256 for row in made}) == len(made)
    assert {row.model_id for row in made} == {model_id}
    again_texts, again = world.understood(world.job().id)
    assert (again_texts, again) == (texts, rows)
    assert world.embedded() == made
    said = understanding_of(world.job())
    assert said == f"texts: by {model_id}; pictures: the image model is turned off"


def test_what_people_corrected_is_learned(world: World):
    _, rows = world.understood(world.job().id)
    text = next(t for t in world.understood(world.job().id)[0] if "blood" in t.text)
    assert rows["c.md"].category != "Health" or rows["c.md"].subcategory != "Results"
    with open_ledger(Settings()) as ledger:
        account = ledger.local_account()
        said = Correction(sha256=text.sha256, category="Health", subcategory="Results")
        ledger.label(account, [said])
    _, taught = world.understood(world.job().id)
    assert "+1 corrections" in taught["c.md"].decided_by


@pytest.mark.parametrize("features", [{}, {"ai_categorization": False}])
def test_a_job_whose_snapshot_lacks_ai_never_touches_a_model(world: World, features: dict):
    """The model here is damaged: whoever opened it would fail."""
    name, shelf = Settings().text_model, shelf_of(Settings())
    pull(name, shelf)
    (shelf.place(name) / "model.onnx").write_bytes(b"")
    job = world.job({"plan": "free", "features": features})
    fingerprints, categories = world.ruled(job.id)
    with (
        open_ledger(Settings()) as ledger,
        run_job(ledger, job.id, lease_s=30, on_done=done) as run,
    ):
        assert understood(run, world.root_id, fingerprints, categories) == categories
    assert world.embedded() == []
    assert understanding_of(job) == NOT_INCLUDED


def done(run: JobRun) -> JobStatus:
    return run.outcome


def test_without_weights_rules_alone_decide_and_the_result_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FILEORGANIZER_TEXT_MODEL", "all-minilm-l6-v2")
    job = world.job()
    fingerprints, categories = world.ruled(job.id)
    with (
        open_ledger(Settings()) as ledger,
        run_job(ledger, job.id, lease_s=30, on_done=done) as run,
    ):
        assert understood(run, world.root_id, fingerprints, categories) == categories
    assert "models pull all-minilm-l6-v2" in understanding_of(job)


needs_clip = pytest.mark.skipif(
    importlib.util.find_spec("open_clip") is None, reason="the extra `clip` is not installed"
)


@needs_clip
def test_pictures_are_looked_at_by_their_thumbnails(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clip = tmp_path / "clip"
    clip.mkdir()
    monkeypatch.setenv("FILEORGANIZER_IMAGE_MODEL", f"local-dir:{tiny_clip_folder(clip)}")
    for seed, name in enumerate(["plain.jpg", "copy.jpg", "drawn.png"]):
        picture = Image.effect_mandelbrot((300, 200), (-2, -1.5, 1, 1.5), 20 + seed // 2)
        picture.convert("RGB").save(world.folder / name)
    job = world.job()
    assert picture_refusal(job) is None
    fingerprints, categories = world.ruled(job.id)
    pictures = list_pictures.fn(job.id, fingerprints, categories)
    assert pictures.rows == 2  # two are equal
    guesses = understand_pictures.fn(job.id, 0, pictures, 0, 2)
    settled = settle_categories.fn(job.id, fingerprints, categories, [guesses])
    rows = {row.key: row for row in to_rows(world.lake.read(settled), CategoryRow)}
    model_id = image_embedder(Settings()).model_id
    assert {row.model_id for row in world.embedded()} == {model_id}
    for name in ("plain.jpg", "copy.jpg", "drawn.png"):
        assert rows[name].decided_by.startswith(model_id)
        assert "it looks like" in rows[name].reason
    assert rows["plain.jpg"].category == rows["copy.jpg"].category
    assert rows["c.md"].decided_by.startswith("rules")
    again = understand_pictures.fn(world.job().id, 0, pictures, 0, 2)
    assert world.lake.read(again).equals(world.lake.read(guesses))


def film(path: Path, colors: list[str]) -> None:
    """Write a film of half a second for each color, each frame one that stands for itself."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.gop_size = 1
        for color in colors:
            frame = av.VideoFrame.from_image(Image.new("RGB", (64, 48), color))
            for _ in range(5):
                container.mux(stream.encode(frame))
        container.mux(stream.encode())


@needs_clip
def test_films_are_looked_at_by_frames_that_are_decoded_once(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clip = tmp_path / "clip"
    clip.mkdir()
    monkeypatch.setenv("FILEORGANIZER_IMAGE_MODEL", f"local-dir:{tiny_clip_folder(clip)}")
    film(world.folder / "red.mkv", ["red"] * 4)
    film(world.folder / "many.mkv", ["red", "green", "blue", "white"])
    (world.folder / "broken.mp4").write_bytes((world.folder / "red.mkv").read_bytes()[:40])
    job = world.job()
    fingerprints, categories = world.ruled(job.id)
    films = list_recordings.fn(job.id, fingerprints, categories, "video")
    assert films.rows == 2
    frames = keyframe_batch.fn(job.id, world.root_id, 0, films, 0, films.rows)
    rows = to_rows(world.lake.read(frames), Keyframe)
    assert Counter(row.sha256 for row in rows).most_common()[0][1] > 1
    assert embed_film_batch.fn(job.id, 0, frames) == 2
    embedder = image_embedder(Settings())
    vectors = {row.sha256: row for row in world.embedded() if row.tower == Tower.IMAGE}
    for sha256, row in vectors.items():
        pictures = [each.picture for each in rows if each.sha256 == sha256]
        seen = np.frombuffer(b"".join(embedder.embed_images(pictures)), "<f4")
        mean = seen.reshape(len(pictures), -1).mean(axis=0)
        found = np.frombuffer(row.vector, "<f4")
        assert np.abs(found - mean / np.linalg.norm(mean)).max() < 1e-6
    assert list_unseen.fn(job.id, films).rows == 0
    guesses = understand_films.fn(job.id, 0, films, 0, films.rows)
    assert {g.category for g in to_rows(world.lake.read(guesses), ContentGuess)} <= {
        "Videos",
        "Needs review",
    }
    settled = settle_categories.fn(job.id, fingerprints, categories, [guesses])
    found = {row.key: row for row in to_rows(world.lake.read(settled), CategoryRow)}
    assert {found[name].category for name in ("red.mkv", "many.mkv")} == {"Videos"}
    decided = {
        g.subcategory
        for g in to_rows(world.lake.read(guesses), ContentGuess)
        if g.category == "Videos"
    }
    shown = {found[name].subcategory for name in ("red.mkv", "many.mkv")}
    assert shown - {None} == decided - {None}


def sound(path: Path, seconds: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(2 * 8000 * seconds))


def test_recordings_are_told_apart_by_their_tags_and_corrections_of_them_are_learned(world: World):
    sound(world.folder / "r1.wav", 40)
    sound(world.folder / "r2.wav", 900)
    job = world.job()
    fingerprints, categories = world.ruled(job.id)
    recordings = list_recordings.fn(job.id, fingerprints, categories, "audio")
    contents = to_rows(world.lake.read(recordings), TextContent)
    assert {c.key: c.facts for c in contents if c.key.endswith("wav")} == {
        "r1.wav": "A recording 40 seconds long, one channel, like a voice.",
        "r2.wav": "A recording 15 minutes long, one channel, like a voice.",
    }
    guesses = understand_texts.fn(job.id, 0, recordings, None, 0, recordings.rows)
    for row in to_rows(world.lake.read(guesses), ContentGuess):
        assert row.category == "Audio"
        assert "its tags read like" in row.reason
    made = [row for row in world.embedded() if row.tower == Tower.FACTS]
    assert len(made) == len(contents)
    by_key = {c.key: c.sha256 for c in contents}
    said = Correction(sha256=by_key["r1.wav"], category="Audio", subcategory="Samples")
    with open_ledger(Settings()) as ledger:
        ledger.label(ledger.local_account(), [said])
    taught = understand_texts.fn(world.job().id, 0, recordings, None, 0, recordings.rows)
    rows = {row.sha256: row for row in to_rows(world.lake.read(taught), ContentGuess)}
    assert "+1 corrections" in rows[said.sha256].decided_by
    assert len([row for row in world.embedded() if row.tower == Tower.FACTS]) == len(made)


def written(path: Path) -> None:
    page = Image.new("RGB", (900, 1200), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(36)
    for n in range(22):
        draw.text((60, 60 + 50 * n), "invoice amount due pay total number", "black", font)
    page.save(path)


@pytest.mark.skipif(
    importlib.util.find_spec("rapidocr") is None, reason="the extra `ocr` is not installed"
)
def test_texts_of_scans_are_read_once_for_decisions_and_searches(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    for name in ("scan.pdf", "scan.png"):
        written(world.folder / name)
    Image.effect_mandelbrot((400, 400), (-2, -1.5, 1, 1.5), 20).save(world.folder / "no text.png")
    job = world.job()
    fingerprints, categories = world.ruled(job.id)
    scans = list_texts.fn(job.id, fingerprints, categories, OPEN_BELOW, scans=True)
    assert scans.rows == 3
    evidence = evidence_batch.fn(job.id, world.root_id, 0, scans, 0, 3, scans=True)
    texts = to_rows(world.lake.read(evidence), TextEvidence)
    assert sorted(text.source for text in texts) == ["none", "ocr", "ocr"]
    assert sum("invoice amount due" in text.text for text in texts) == 2
    guesses = understand_texts.fn(job.id, 0, scans, evidence, 0, 3)
    settled = settle_categories.fn(job.id, fingerprints, categories, [guesses])
    rows = {row.key: row for row in to_rows(world.lake.read(settled), CategoryRow)}
    model_id = text_embedder(Settings()).model_id
    for name in ("scan.pdf", "scan.png"):
        assert rows[name].decided_by.startswith(model_id)
        assert "read off the picture" in rows[name].reason
        assert "text mentions" in rows[name].reason or "it reads like" in rows[name].reason
    searched = list_searchable.fn(job.id, fingerprints, scans=True)
    assert searched.rows == 3
    assert list_unread_texts.fn(job.id, searched, scans=True).rows == 0
    plain = list_searchable.fn(job.id, fingerprints)
    assert list_unread_texts.fn(job.id, plain).rows > 0
    assert said_of(job).endswith("scans: read")
    monkeypatch.setenv("FILEORGANIZER_OCR", "false")
    assert said_of(job).endswith("scans: reading scans is turned off")
