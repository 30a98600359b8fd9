"""Search over HTTP: by words always, by meaning where plan, model and index allow; whose it is."""

import hashlib
import os
import stat
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import httpx
import pytest
from api_world import api, api_settings, app_of, database_url_of, newcomer, sql
from starlette.testclient import TestClient
from tiny_models import tiny_sentence_folder

from api.app import create_app
from models.domain.embeddings import EmbeddingRow, Tower
from models.domain.search import ContentText
from models.settings import Settings
from tasks.categorize.embedders import text_embedder
from tasks.ledger.database import close_pools
from tasks.ledger.ledger import Ledger

__all__ = ["api"]

pytestmark = pytest.mark.service

FILES = {
    "boarding-pass_LHR.pdf": ("Gate 12, seat 4A. Boarding closes at 09:40.", "application/pdf"),
    "IMG_2041.txt": ("Invoice number 77: the amount due is 120 dollars.", "text/plain"),
    "copy of IMG_2041.txt": ("Invoice number 77: the amount due is 120 dollars.", "text/plain"),
    "note.txt": ("The <b>invoices</b> of last year were paid.", "text/plain"),
}


class Shelf:
    """One account's uploads of the files above, indexed."""

    def __init__(self, api, *, plan="free"):
        self.api = api
        self.who = newcomer(api, plan=plan)
        self.ledger = Ledger(database_url_of(api))
        [(self.root,)] = sql(
            api,
            "INSERT INTO storage_roots (user_id, kind, url) VALUES (%s, 'managed', %s)"
            " RETURNING id::text",
            self.who.id,
            f"memory://{uuid.uuid4()}",
        )
        for name, (text, mime) in FILES.items():
            content = hashlib.sha256(text.encode()).hexdigest()
            sql(
                api,
                "INSERT INTO files (user_id, root_id, storage_key, filename, storage_path,"
                " storage_version, modified_ns, file_size_bytes, sha256_hash, hashed_at,"
                " mime_type, coarse_category, tags)"
                " VALUES (%s, %s, %s, %s, 's', 'v', 0, %s, %s, now(), %s, 'Documents', %s)",
                self.who.id,
                self.root,
                uuid.uuid4().hex,
                name,
                len(text),
                content,
                mime,
                ["travel"] if name.startswith("boarding") else [],
            )
            found = ContentText(sha256=content, sample=text, characters=len(text))
            self.ledger.keep_texts([found])
        assert self.ledger.index_files(self.root) == len(FILES)

    def get(self, **query):
        return self.api.get("/v1/search", params=query, headers=self.who.headers)

    def names(self, **query):
        return [each["file"]["filename"] for each in self.get(**query).json()["results"]]


@pytest.fixture(autouse=True)
def _pools():
    yield
    close_pools()


def test_words_find_names_tags_and_texts_and_say_where_they_are(api):
    shelf = Shelf(api)
    answer = shelf.get(q="amount due").json()
    assert set(answer) == {"results", "mode", "note", "pagination"}
    assert (answer["mode"], answer["note"]) == ("text", None)
    found = answer["results"][0]
    assert set(found) == {"file", "score", "highlights"}
    assert found["file"]["filename"].endswith("IMG_2041.txt")
    (passage,) = found["highlights"]
    assert passage["field"] == "text"
    begins = [passage["fragment"][begin:end] for begin, end in passage["matches"]]
    assert begins == ["amount", "due"]
    assert shelf.names(q="boarding pass") == ["boarding-pass_LHR.pdf"]
    named = shelf.get(q="boarding").json()["results"][0]["highlights"][0]
    assert (named["field"], named["matches"]) == ("filename", [[0, 8]])
    assert shelf.names(q="travel") == ["boarding-pass_LHR.pdf"]
    assert shelf.names(q="bording pas") == ["boarding-pass_LHR.pdf"]
    assert len(shelf.names(q="invoice 77")) == 2  # equal contents are one answer
    fragment = shelf.get(q="invoices").json()["results"]
    texts = [each["fragment"] for found in fragment for each in found["highlights"]]
    assert any("<b>invoices</b>" in text or "invoices" in text for text in texts)
    assert not any("\x02" in text or "\x03" in text for text in texts)


def test_filters_and_pages(api):
    shelf = Shelf(api)
    assert shelf.names(q="boarding", type="application/pdf") == ["boarding-pass_LHR.pdf"]
    assert shelf.names(q="boarding", type="text") == []
    assert shelf.names(q="boarding", tags="travel") == ["boarding-pass_LHR.pdf"]
    assert shelf.names(q="invoice", tags=["travel"]) == []
    assert len(shelf.names(q="invoice", category="Documents")) == 2
    assert shelf.names(q="invoice", category="Images") == []
    assert shelf.names(q="boarding", **{"from": "2999-01-01"}) == []
    assert shelf.names(q="boarding", to="9999-12-31") == ["boarding-pass_LHR.pdf"]
    first = shelf.get(q="invoice", per_page=1).json()
    rest = shelf.get(q="invoice", per_page=1, page=2).json()
    assert first["pagination"]["total"] == 2
    assert first["results"][0]["file"]["id"] != rest["results"][0]["file"]["id"]


def test_an_upload_is_found_by_its_name_at_once_and_by_its_text_after_its_flow(api):
    shelf = Shelf(api)
    sql(
        api,
        "INSERT INTO files (user_id, root_id, storage_key, filename, storage_path, storage_version,"
        " modified_ns, file_size_bytes, tags)"
        " VALUES (%s, %s, 'new', 'Grüße_vomMeer.txt', 's', 'v', 0, 1, '{holiday}')",
        shelf.who.id,
        shelf.root,
    )
    for words in ("grusse meer", "meer", "holiday"):
        assert shelf.names(q=words) == ["Grüße_vomMeer.txt"]
    assert shelf.ledger.index_files(shelf.root) == 1
    assert shelf.names(q="meer") == ["Grüße_vomMeer.txt"]


@pytest.mark.parametrize(
    "query", [{}, {"q": ""}, {"q": "?!"}, {"q": "x" * 501}, {"q": "a", "mode": "hybrid"}]
)
def test_what_says_nothing_is_refused(api, query):
    who = newcomer(api)
    assert api.get("/v1/search", params=query, headers=who.headers).status_code == 422


@pytest.mark.parametrize("query", ["a' | 'b", "\\", "a & !b:*", "%", "don't", "Ω≈ç√", "😀 x"])
def test_whatever_is_asked_is_words(api, query):
    who = newcomer(api)
    answer = api.get("/v1/search", params={"q": query}, headers=who.headers)
    assert answer.status_code in (200, 422)


def test_another_account_finds_nothing_of_it(api):
    Shelf(api)
    other = newcomer(api)
    found = api.get("/v1/search", params={"q": "boarding"}, headers=other.headers).json()
    assert found["results"] == []
    assert api.get("/v1/search", params={"q": "boarding"}).status_code == 401


def test_trashed_files_are_not_found(api):
    shelf = Shelf(api)
    sql(api, "UPDATE files SET deleted_at = now() WHERE filename LIKE 'boarding%%'")
    assert shelf.names(q="boarding") == []


def test_meanings_want_a_plan_and_without_a_model_the_answer_is_by_words_and_says_so(api):
    assert Shelf(api).get(q="boarding", mode="semantic").status_code == 403
    answer = Shelf(api, plan="pro").get(q="boarding", mode="semantic").json()
    assert answer["mode"] == "text"
    assert answer["note"].startswith("by words only")
    assert len(answer["results"]) == 1


def test_meanings_are_compared_by_the_process_that_has_the_model(database_url, tmp_path):
    model = tiny_sentence_folder(tmp_path / "tiny")
    # Addresses of Unix sockets hold 107 bytes, fewer than some temporary folders' names have.
    with tempfile.TemporaryDirectory(prefix="fo-") as short:
        socket = Path(short) / "embedder.sock"
        chosen = {
            "text_model": f"local-dir:{model}",
            "embedder_url": f"unix:{socket}",
            "work_threads": 1,
        }
        settings = api_settings(tmp_path / "home", database_url, **chosen)
        environment = {
            "FILEORGANIZER_HOME": str(settings.home),
            **{f"FILEORGANIZER_{name.upper()}": str(value) for name, value in chosen.items()},
        }
        service = subprocess.Popen(
            [sys.executable, "-m", "tasks.categorize.query_service"],
            env={**os.environ, **environment},
        )
        try:
            with TestClient(create_app(settings), raise_server_exceptions=False) as client:
                _compare(client, settings, socket)
        finally:
            service.terminate()
            assert service.wait(timeout=30) in (0, -15)


def _compare(client: TestClient, settings: Settings, socket: Path) -> None:
    deadline = time.monotonic() + 60
    while not socket.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    shelf, other = Shelf(client, plan="pro"), Shelf(client, plan="pro")
    wanted = FILES["note.txt"][0]
    embedder = text_embedder(settings)
    if not shelf.ledger.has_vectors():
        pytest.skip("this Postgres has no pgvector")
    (vector,) = embedder.embed_texts(["flour in the oven"])
    shelf.ledger.keep_vectors(
        [
            EmbeddingRow(
                sha256=hashlib.sha256(wanted.encode()).hexdigest(),
                model_id=embedder.model_id,
                tower=Tower.TEXT.value,
                dimension=embedder.dimension,
                vector=vector,
            )
        ]
    )
    answer = shelf.get(q="flour in the oven", mode="semantic").json()
    assert (answer["mode"], answer["note"]) == ("semantic", None)
    assert [each["file"]["filename"] for each in answer["results"]] == ["note.txt"]
    sql(client, "DELETE FROM files WHERE user_id = %s", other.who.id)
    assert other.get(q="flour in the oven", mode="semantic").json()["results"] == []
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket))) as asked:
        assert asked.get("http://e/healthz").json() == {"status": "ok"}
        assert asked.post("http://e/embed", content=b"[]").status_code == 422
        assert asked.post("http://e/embed", json={"text": "x" * 30_000}).status_code == 422
        assert asked.get("http://e/other").status_code == 404


def test_the_api_loads_no_model():
    code = "import sys, api.app; print([m for m in ('onnxruntime', 'torch') if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_settings_name_the_socket_below_home(api):
    settings = app_of(api).state.settings
    assert settings.embedder_address == f"unix:{settings.home_path / 'embedder.sock'}"
