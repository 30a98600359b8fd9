"""Searching in a real Postgres: by words, by names nearly so, by vectors; whose, and where."""

import hashlib
import uuid

import numpy as np
import psycopg
import pytest

from models.domain.catalog import CatalogRow
from models.domain.embeddings import EmbeddingRow, Tower
from models.domain.errors import InvalidError
from models.domain.jobs import Job, JobKind, JobStatus
from models.domain.search import (
    TEXT_VERSION,
    ContentText,
    Ranking,
    SearchMode,
    SearchScope,
)
from tasks.ledger.database import close_pools
from tasks.ledger.ledger import Ledger
from tasks.search.core import Meaning, search
from warehouse.schemas.arrow import to_table

pytestmark = pytest.mark.service

FILES = {
    "trips/2019/boarding-pass_LHR.pdf": "Gate 12, seat 4A. Boarding closes at 09:40. Zürich.",
    "taxes/IMG_2041.txt": "Invoice number 77: the amount due is 120 dollars.",
    "taxes/letter.txt": "Dear Sir, the invoices of last year were paid.",
    "notes/übersicht.md": "Eine Übersicht über alle Reisen nach Zürich und Tōkyō.",
    "notes/東京.txt": "東京に行きました。",
    "music/track.mp3": "",
}
SONG = '{"title": "Clair de lune", "artist": "Debussy"}'


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


class World:
    """One account with the files above below one root, published and indexed."""

    def __init__(self, url):
        self.url = url
        self.ledger = Ledger(url)
        self.account = self.ledger.local_account()
        self.root = self.ledger.root_for("file:///search").id
        self.publish(FILES)
        self.ledger.keep_texts(
            [ContentText(sha256=sha(t), sample=t, characters=len(t)) for t in FILES.values() if t]
        )

    def publish(self, files, moved=None):
        self.job = self.ledger.create_job(
            Job(
                id=str(uuid.uuid4()),
                kind=JobKind.REINDEX,
                account_id=self.account,
                status=JobStatus.PENDING,
                source_url="file:///search",
                destination_url="file:///search",
                source_root_id=self.root,
                destination_root_id=self.root,
            )
        )
        rows = [
            CatalogRow(
                key=key,
                previous_key=(moved or {}).get(key),
                size_bytes=len(text),
                modified_ns=0,
                version="v",
                mime="text/plain",
                sha256=sha(text),
                category="Finance" if key.startswith("taxes") else None,
                details=SONG if key.endswith("mp3") else "{}",
            )
            for key, text in files.items()
        ]
        table = to_table(rows, CatalogRow)
        self.ledger.publish_files(self.job, table, root_id=self.root, is_complete=True)

    @property
    def scope(self):
        return SearchScope(account_id=self.account)

    def find(self, query, **more):
        more.setdefault("mode", SearchMode.TEXT)
        scope = more.pop("scope", self.scope)
        return search(query, scope, index=self.ledger, **more)

    def keys(self, query, **more):
        return [hit.file.key for hit in self.find(query, **more)]


@pytest.fixture
def world(database_url):
    world = World(database_url)
    assert world.ledger.index_files(world.root) == len(FILES)
    yield world
    close_pools()


def test_words_are_found_in_names_tags_categories_and_texts_whatever_their_form(world):
    assert world.keys("boarding pass")[0] == "trips/2019/boarding-pass_LHR.pdf"
    assert set(world.keys("Invoice")) == {"taxes/IMG_2041.txt", "taxes/letter.txt"}
    assert world.keys("uebersicht zurich ubersicht")[0] == "notes/übersicht.md"
    assert world.keys("debussy clair") == ["music/track.mp3"]
    assert set(world.keys("finance")) == {"taxes/IMG_2041.txt", "taxes/letter.txt"}
    assert world.keys("img 2041")[0] == "taxes/IMG_2041.txt"
    assert world.keys("東京")[0] == "notes/東京.txt"
    assert world.keys("nothing like it whatsoever") == []


def test_a_misspelled_name_is_found_and_said_to_be_so(world):
    (hit,) = world.find("bording pas")[:1]
    assert hit.file.key == "trips/2019/boarding-pass_LHR.pdf"
    assert hit.why == (Ranking.NAME,)


def test_the_answer_shows_the_passage_the_category_and_why(world):
    hit = world.find("amount due")[0]
    assert hit.file.key == "taxes/IMG_2041.txt"
    assert "[amount] [due]" in hit.snippet
    assert hit.why[0] is Ranking.WORDS
    assert (hit.file.category, hit.file.root_url, hit.file.copies) == (
        "Finance",
        "file:///search",
        0,
    )


def test_a_phrase_counts_more_than_its_words(world):
    texts = {"a.txt": "red apple pie", "b.txt": "apple of red pie, red", "c.txt": "red red apple"}
    world.publish(texts)
    world.ledger.keep_texts([ContentText(sha256=sha(t), sample=t) for t in texts.values()])
    world.ledger.index_files(world.root)
    assert world.keys("apple pie")[0] == "a.txt"


@pytest.mark.parametrize("query", ["", "  ...  ", "'\\ & | ! <-> (:*", "it is the", "x" * 5000])
def test_no_query_breaks_anything(world, query):
    if not any(sign.isalnum() for sign in query):
        with pytest.raises(InvalidError):
            world.find(query)
        return
    assert isinstance(world.find(query), list)


def test_only_what_changed_is_indexed_again_and_what_is_gone_is_forgotten(world):
    ledger, root = world.ledger, world.root
    assert ledger.index_files(root) == 0
    after = dict(FILES)
    after["plane/card.pdf"] = after.pop("trips/2019/boarding-pass_LHR.pdf")
    del after["notes/übersicht.md"]
    world.publish(after, moved={"plane/card.pdf": "trips/2019/boarding-pass_LHR.pdf"})
    assert world.keys("gate 12")[0] == "plane/card.pdf"
    assert world.keys("Reisen") == []
    assert ledger.index_files(root) == 1
    assert world.keys("plane card") == ["plane/card.pdf"]
    assert ledger.forget_texts() == 0  # the trash may give it back
    with psycopg.connect(world.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DELETE FROM files WHERE deleted_at IS NOT NULL")
    assert ledger.forget_texts() == 1


def test_a_text_is_read_once_and_again_by_a_newer_reader(world):
    known = sha(FILES["taxes/letter.txt"])
    assert world.ledger.unread([known, "f" * 64, known]) == ["f" * 64]
    old = ContentText(sha256="f" * 64, version=TEXT_VERSION - 1, problem="corrupt: x")
    assert world.ledger.keep_texts([old]) == 1
    assert world.ledger.unread(["f" * 64]) == ["f" * 64]
    assert world.ledger.texts([known, "e" * 64])[known].sample == FILES["taxes/letter.txt"]


def test_a_scope_is_a_folder_a_root_and_never_another_account(world):
    inside = SearchScope(account_id=world.account, root_id=world.root, prefix="taxes/")
    assert set(world.keys("invoice zurich", scope=inside)) == {
        "taxes/IMG_2041.txt",
        "taxes/letter.txt",
    }
    other_root = world.ledger.root_for("file:///other").id
    for scope in (
        SearchScope(account_id=world.account, root_id=other_root),
        SearchScope(account_id=str(uuid.uuid4())),
    ):
        assert world.keys("invoice", scope=scope) == []
        assert world.ledger.found_files(scope, [sha(FILES["taxes/letter.txt"])]) == {}


def test_copies_are_one_answer(world):
    both = {**FILES, "taxes/copy/IMG_2041 (2).txt": FILES["taxes/IMG_2041.txt"]}
    world.publish(both)
    world.ledger.index_files(world.root)
    (hit,) = [hit for hit in world.find("amount due") if hit.file.key.startswith("taxes/IMG")]
    assert hit.file.copies == 1


class Compass:
    """A model of two meanings, so that what is near is known; it goes through the real port."""

    model_id = "compass@1"
    dimension = 3

    def embed_texts(self, texts):
        def vector(text):
            north = sum(word in text.casefold() for word in ("gate", "seat", "flight", "airport"))
            east = sum(word in text.casefold() for word in ("invoice", "paid", "money"))
            made = np.asarray([north, east, 0.1], "<f4")
            return (made / np.linalg.norm(made)).tobytes()

        return [vector(text) for text in texts]


def vectors_of(model, texts):
    return [
        EmbeddingRow(
            sha256=sha(text),
            model_id=model.model_id,
            tower=Tower.TEXT,
            dimension=model.dimension,
            vector=vector,
        )
        for text, vector in zip(texts, model.embed_texts(texts), strict=True)
    ]


def test_meanings_are_found_kept_once_and_never_mixed_between_models(world):
    ledger = world.ledger
    if not ledger.has_vectors():
        pytest.skip("this Postgres has no pgvector")
    model = Compass()
    texts = [text for text in FILES.values() if text]
    rows = vectors_of(model, texts)
    hashes = [row.sha256 for row in rows]
    assert ledger.missing_vectors(model.model_id, Tower.TEXT, hashes) == sorted(hashes)
    assert ledger.keep_vectors(rows) == len(rows)
    assert ledger.keep_vectors(rows) == 0 == ledger.keep_vectors([])
    assert ledger.missing_vectors(model.model_id, Tower.TEXT, hashes) == []
    meaning = Meaning(embedder=model, tower=Tower.TEXT, vectors=ledger)
    hits = world.find("airport", mode=SearchMode.SEMANTIC, meanings=[meaning])
    assert hits[0].file.key == "trips/2019/boarding-pass_LHR.pdf"
    assert hits[0].why == (Ranking.MEANING,)
    both = world.find("money for the letter", mode=SearchMode.HYBRID, meanings=[meaning])
    assert both[0].file.key == "taxes/letter.txt"
    assert set(both[0].why) >= {Ranking.WORDS, Ranking.MEANING}

    class Other(Compass):
        model_id = "compass@2"

    other = Meaning(embedder=Other(), tower=Tower.TEXT, vectors=ledger)
    assert world.find("airport", mode=SearchMode.SEMANTIC, meanings=[other]) == []
    with pytest.raises(InvalidError):
        ledger.keep_vectors([*rows, *vectors_of(Other(), ["x"])])
    with pytest.raises(InvalidError, match="no model"):
        world.find("airport", mode=SearchMode.SEMANTIC)
    elsewhere = SearchScope(account_id=str(uuid.uuid4()))
    assert (
        world.find("airport", scope=elsewhere, mode=SearchMode.SEMANTIC, meanings=[meaning]) == []
    )
    assert ledger.forget_vectors() == 0
    with psycopg.connect(world.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DELETE FROM files WHERE storage_key LIKE 'notes/%'")
    assert ledger.forget_vectors() == 2
