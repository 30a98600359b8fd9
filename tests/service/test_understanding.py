"""Understanding files through its edges: real Postgres, a lake on disk, tiny models."""

import importlib.util
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny_models import tiny_clip_folder, tiny_sentence_folder

from flows.understanding import understood
from models.ai.pulling import pull
from models.domain.categories import CategoryRow
from models.domain.embeddings import EmbeddingRow, TextEvidence
from models.domain.jobs import Job, JobKind, JobStatus
from models.domain.table_refs import TableRef
from models.domain.taxonomy import Correction
from models.settings import Settings
from storage.opening import canonical_url
from tasks.categorize.core import OPEN_BELOW
from tasks.categorize.embedders import image_embedder, shelf_of, text_embedder
from tasks.categorize.task import categorize
from tasks.categorize.understand_task import (
    NOT_INCLUDED,
    list_pictures,
    picture_refusal,
    refusal,
    settle_categories,
    understand_pictures,
    understand_texts,
    understanding_of,
)
from tasks.fingerprint.evidence_task import evidence_batch, list_texts
from tasks.fingerprint.task import fingerprint_batch, merge_fingerprints
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


@pytest.mark.skipif(
    importlib.util.find_spec("open_clip") is None, reason="the extra `clip` is not installed"
)
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
