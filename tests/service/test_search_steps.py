"""Making files searchable through its edges: real children, Postgres, a lake, a tiny model."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_models import tiny_clip_folder, tiny_sentence_folder

from bench.plain import index, reindex
from bench.worlds import new_job
from cli.session import Session
from models.domain.categories import CategoryRow
from models.domain.embeddings import Tower
from models.domain.errors import MissingError
from models.domain.jobs import JobKind
from models.domain.search import Ranking, SearchMode, SearchScope
from models.domain.taxonomy import Correction
from models.settings import Settings
from tasks.categorize.correcting import BY_HAND
from tasks.categorize.correcting_task import apply_corrections
from tasks.categorize.embed_task import embed_text_batch, list_unembedded, text_model_id
from tasks.categorize.embedders import image_embedder, text_embedder
from tasks.categorize.looks_task import (
    embed_picture_batch,
    image_model_id,
    list_pictures,
    list_unseen,
)
from tasks.fingerprint.texts_task import list_searchable, list_unread_texts, read_text_batch
from tasks.ledger.database import close_pools
from tasks.ledger.ledger import open_ledger
from tasks.lifecycle.task import recall_index
from tasks.search.core import NOTHING_SAID, Meaning, search
from tasks.search.exact import LakeVectors
from tasks.search.task import forget_contents, index_vectors, index_words
from warehouse.schemas.arrow import to_rows
from warehouse.store.parts import open_lake

pytestmark = pytest.mark.service

FILES = {
    "bills/one.txt": "invoice amount due pay total number " * 20,
    "bills/copy of one.txt": "invoice amount due pay total number " * 20,
    "care/note.html": "<html><body><p>blood result of the patient</p></body></html>",
    "code/app.py": "def greet():\n    return 'flour in the oven'\n",
    "broken.docx": "PK\x03\x04 this is no document",
    "nothing.txt": "",
}


@pytest.fixture
def root(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FILEORGANIZER_DATABASE_URL", database_url)
    monkeypatch.setenv("FILEORGANIZER_HOME", str(tmp_path / "home"))
    model = tiny_sentence_folder(tmp_path / "tiny")
    monkeypatch.setenv("FILEORGANIZER_TEXT_MODEL", f"local-dir:{model}")
    for name, text in FILES.items():
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    yield tmp_path / "files"
    close_pools()


def made_searchable(folder: Path) -> dict[str, int]:
    """The steps of the flow, one after the other; returns what was new in each."""
    with open_ledger(Settings()) as ledger:
        job = new_job(ledger, folder, kind=JobKind.REINDEX)
    reindex(job.id)
    contents = list_searchable.fn(job.id, recall_index(job.id)["fingerprints"])
    unread = list_unread_texts.fn(job.id, contents)
    read = read_text_batch.fn(job.source_root_id, unread, 0, unread.rows)
    unembedded = list_unembedded.fn(job.id, contents)
    embed_text_batch.fn(job.id, 0, unembedded, 0, unembedded.rows)
    return {
        "read": read,
        "embedded": unembedded.rows,
        "copied": index_vectors.fn(contents, text_model_id()),
        "indexed": index_words.fn(job.source_root_id),
        "forgotten": forget_contents.fn(),
    }


def test_each_content_is_read_and_embedded_once_and_then_found(root: Path):
    first = made_searchable(root)
    assert first["read"] >= 3
    assert first["indexed"] == len(FILES)
    again = made_searchable(root)
    assert again["read"] == again["copied"] == again["indexed"] == again["forgotten"] == 0
    with open_ledger(Settings()) as ledger:
        scope = SearchScope(account_id=ledger.local_account())
        (hit, *_) = search("amount due", scope, index=ledger, mode=SearchMode.TEXT)
        assert hit.file.key.startswith("bills/")
        assert hit.file.copies == 1
        assert "[amount] [due]" in hit.snippet
        (hit, *_) = search("patient blood", scope, index=ledger, mode=SearchMode.TEXT)
        assert hit.file.key == "care/note.html"
        (hit, *_) = search("flour oven", scope, index=ledger, mode=SearchMode.TEXT)
        assert hit.file.key == "code/app.py"


def test_meanings_are_the_same_from_postgres_and_from_the_lake(root: Path):
    made_searchable(root)
    embedder = text_embedder(Settings())
    lake = open_lake(Settings().lake)
    with open_ledger(Settings()) as ledger:
        scope = SearchScope(account_id=ledger.local_account())
        stores = [LakeVectors(lake, ledger)]
        if ledger.has_vectors():
            assert ledger.has_vectors_of(embedder.model_id, Tower.TEXT)
            stores.append(ledger)
        found = [
            [
                (hit.file.key, hit.why)
                for hit in search(
                    "pay the invoice",
                    scope,
                    index=ledger,
                    meanings=[Meaning(embedder=embedder, tower=Tower.TEXT, vectors=store)],
                    mode=SearchMode.SEMANTIC,
                )
            ]
            for store in stores
        ]
        assert found[0] == found[-1]
        assert len(found[0]) >= 3
        nowhere = SearchScope(account_id=scope.account_id, prefix="nowhere/")
        asked = [Meaning(embedder=embedder, tower=Tower.TEXT, vectors=stores[0])]
        assert search("pay", nowhere, index=ledger, meanings=asked, mode=SearchMode.SEMANTIC) == []


def test_a_place_is_found_by_the_root_it_lies_in(root: Path):
    from cli.search import _scope

    made_searchable(root)
    with open_ledger(Settings()) as ledger:
        session = Session(settings=Settings(), ledger=ledger)
        assert _scope(session, None).root_id is None
        assert _scope(session, str(root)).prefix == ""
        assert _scope(session, str(root / "bills")).prefix == "bills/"
        with pytest.raises(MissingError, match="--index"):
            _scope(session, str(root.parent))


def test_a_correction_counts_in_every_later_index_whatever_the_file_is_called(root: Path):
    with open_ledger(Settings()) as ledger:
        job = new_job(ledger, root, kind=JobKind.REINDEX)
        refs, _ = index(job.id, job.source_root_id)
        lake = open_lake(Settings().lake)
        assert apply_corrections.fn(job.id, refs[0], refs[1]) == refs[1]
        hashes = dict(
            zip(*(lake.read(refs[0])[name].to_pylist() for name in ("key", "sha256")), strict=True)
        )
        said = Correction(sha256=hashes["bills/one.txt"], category="Legal", subcategory="Contracts")
        ledger.label(ledger.local_account(), [said])
    (root / "bills" / "one.txt").rename(root / "renamed.txt")
    with open_ledger(Settings()) as ledger:
        job = new_job(ledger, root, kind=JobKind.REINDEX)
    refs, _ = index(job.id, job.source_root_id)
    rows = {
        row.key: row
        for row in to_rows(lake.read(apply_corrections.fn(job.id, refs[0], refs[1])), CategoryRow)
    }
    for key in ("renamed.txt", "bills/copy of one.txt"):
        assert (rows[key].category, rows[key].subcategory) == ("Legal", "Contracts")
        assert rows[key].decided_by == BY_HAND
    assert rows["code/app.py"].decided_by != BY_HAND
    assert len(rows) == len(FILES)


@pytest.mark.skipif(
    importlib.util.find_spec("open_clip") is None, reason="the extra `clip` is not installed"
)
def test_pictures_are_found_by_what_they_show_and_only_those_nearer_than_nothing_said(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clip = tmp_path / "clip"
    clip.mkdir()
    monkeypatch.setenv("FILEORGANIZER_IMAGE_MODEL", f"local-dir:{tiny_clip_folder(clip)}")
    colors = ["black", "white", "red", "green", "blue", "yellow"]
    for n in range(12):
        picture = Image.new("RGB", (90, 90), colors[n % 6])
        if n >= 6:
            picture.paste(Image.new("RGB", (45, 90), colors[(n + 2) % 6]))
        picture.save(root / f"p{n}.png")
    with open_ledger(Settings()) as ledger:
        job = new_job(ledger, root, kind=JobKind.REINDEX)
    reindex(job.id)
    pictures = list_pictures.fn(job.id, recall_index(job.id)["fingerprints"], None)
    unseen = list_unseen.fn(job.id, pictures)
    assert unseen.rows == pictures.rows == 12
    assert embed_picture_batch.fn(job.id, 0, unseen, 0, 12) == 12
    assert list_unseen.fn(job.id, pictures).rows == 0
    embedder, lake, query = image_embedder(Settings()), open_lake(Settings().lake), "a map"
    with open_ledger(Settings()) as ledger:
        copied = index_vectors.fn(pictures, image_model_id(), Tower.IMAGE.value)
        assert copied == (12 if ledger.has_vectors() else 0)
        scope = SearchScope(account_id=ledger.local_account())
        stores = [LakeVectors(lake, ledger), *([ledger] if ledger.has_vectors() else [])]
        found = [
            Meaning(embedder=embedder, tower=Tower.IMAGE, vectors=store).ranked(scope, query)
            for store in stores
        ]
        assert [r.content for r in found[0]] == [r.content for r in found[-1]]
        said, nothing = (
            np.frombuffer(v, "<f4") for v in embedder.embed_texts([query, NOTHING_SAID])
        )
        blobs = lake.read(pictures).to_pylist()
        thumbnails = {row["sha256"]: lake.read_blob(row["thumbnail"]) for row in blobs}
        vectors = embedder.embed_images(list(thumbnails.values()))
        nearer = {
            sha256
            for sha256, vector in zip(thumbnails, vectors, strict=True)
            if np.frombuffer(vector, "<f4") @ (said - nothing) > 0
        }
        assert 0 < len(nearer) < 12
        assert {r.content for r in found[0]} == nearer
        asked = [Meaning(embedder=embedder, tower=Tower.IMAGE, vectors=stores[-1])]
        hits = search(
            query, scope, index=ledger, meanings=asked, mode=SearchMode.SEMANTIC, limit=20
        )
        assert {hit.file.content for hit in hits} == nearer
        assert all(hit.why == (Ranking.PICTURE,) for hit in hits)
