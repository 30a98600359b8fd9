"""Image towers: a tiny OpenCLIP model saved as a checkpoint, through the very same code.

They need the extra `clip`, which `make test` installs; an environment made without it says so.
"""

import importlib.util
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_models import PREPROCESSING, tiny_clip_folder

from models.ai.pixels import Preprocessing
from models.ai.pulling import pull
from models.ai.shelf import Shelf
from models.domain.errors import InvalidError, MissingError
from models.settings import Settings
from tasks.categorize.embedders import image_embedder, picture_problem

needs_clip = pytest.mark.skipif(
    importlib.util.find_spec("open_clip") is None, reason="the extra `clip` is not installed"
)


def picture(seed: int, size: tuple[int, int] = (60, 40), kind: str = "PNG") -> bytes:
    rng = np.random.default_rng(seed)
    made = Image.fromarray(rng.integers(0, 256, (6, 9, 3)).astype(np.uint8)).resize(size)
    sink = io.BytesIO()
    made.save(sink, kind)
    return sink.getvalue()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clip_folder(tmp_path_factory.mktemp("clip"))


def original(tiny: Path) -> tuple[Any, Any, Any]:
    import open_clip

    model, _, prepare = open_clip.create_model_and_transforms(f"local-dir:{tiny}")
    return model.eval(), prepare, open_clip.get_tokenizer("tiny-test-model")


def numbers(vectors: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(vectors), "<f4").reshape(len(vectors), -1)


@needs_clip
def test_a_folder_is_exported_once_and_sees_as_the_original_does(tiny: Path, tmp_path: Path):
    import torch

    settings = Settings(home=tmp_path, image_model=f"local-dir:{tiny}", work_threads=2)
    embedder = image_embedder(settings)
    model, prepare, tokenize = original(tiny)
    pictures = [picture(seed, (50 + 9 * seed, 40)) for seed in range(5)]
    vectors = embedder.embed_images(pictures)
    assert vectors[::-1] == embedder.embed_images(pictures[::-1])
    with torch.no_grad():
        ready = torch.stack([prepare(Image.open(io.BytesIO(one))) for one in pictures])
        wanted = torch.nn.functional.normalize(model.encode_image(ready), dim=-1).numpy()
        said = torch.nn.functional.normalize(
            model.encode_text(tokenize(["a cat", "an invoice"])), dim=-1
        ).numpy()
    assert (numbers(vectors) * wanted).sum(axis=1).min() > 0.99
    assert np.abs(numbers(embedder.embed_texts(["a cat", "an invoice"])) - said).max() < 1e-4
    assert embedder.dimension == 16
    shelved = Shelf(settings.models_path).find(settings.image_model)
    assert shelved is not None
    assert shelved.facts["resize_mode"] == "squash"
    assert shelved.facts["mean"] == PREPROCESSING["mean"]
    assert picture_problem(settings) is None


@needs_clip
def test_a_checkpoint_by_its_path_is_the_same_model_with_its_own_preprocessing(
    tiny: Path, tmp_path: Path
):
    shelf = Shelf(tmp_path)
    by_path = pull(f"tiny-test-model@{tiny.parent / 'checkpoint.pt'}", shelf)
    by_folder = pull(f"local-dir:{tiny}", shelf)
    assert by_path.weights_sha256 == by_folder.weights_sha256
    assert by_path.model_id != by_folder.model_id  # a bare checkpoint cannot say its mean
    assert shelf.verify(by_path) == shelf.verify(by_folder) == []


@needs_clip
def test_weights_are_never_made_up(tiny: Path, tmp_path: Path):
    shelf = Shelf(tmp_path / "models")
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "open_clip_config.json").write_bytes((tiny / "open_clip_config.json").read_bytes())
    names = [f"local-dir:{empty}", "tiny-test-model@/nowhere.pt", "tiny-test-model/no-such-tag"]
    for name in names:
        with pytest.raises(MissingError):
            pull(name, shelf)
    assert shelf.all() == []


@needs_clip
@pytest.mark.parametrize("size", [(90, 40), (40, 90), (20, 20), (33, 32)])
@pytest.mark.parametrize("mode", ["shortest", "squash"])
def test_preprocessing_is_open_clip_s_own(tiny: Path, size: tuple[int, int], mode: str):
    from open_clip import transform

    config = {**PREPROCESSING, "resize_mode": mode}
    theirs = transform.image_transform_v2(transform.PreprocessCfg(**config), is_train=False)
    ours = Preprocessing.from_config(config)
    one = picture(3, size)
    wanted = theirs(Image.open(io.BytesIO(one))).numpy()
    assert np.abs(ours.pixels(one) - wanted).max() < 1e-5


def test_what_is_no_picture_is_refused():
    with pytest.raises(InvalidError):
        Preprocessing.from_config(PREPROCESSING).pixels(b"no picture")
    with pytest.raises(InvalidError):
        Preprocessing.from_config({**PREPROCESSING, "resize_mode": "longest"})


def test_without_weights_the_way_to_them_is_said(tmp_path: Path):
    assert "models pull" in (picture_problem(Settings(home=tmp_path)) or "")
    assert "off" in (picture_problem(Settings(home=tmp_path, image_model="off")) or "")


def test_importing_the_package_loads_no_torch():
    code = (
        "import sys, cli.main, flows.organize, flows.reindex, tasks.categorize.understand_task\n"
        "heavy = {'torch', 'torchvision', 'open_clip', 'onnxruntime', 'onnx', 'tokenizers'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


WEIGHTS = os.environ.get("FILEORGANIZER_TEST_IMAGE_MODEL")


@pytest.mark.skipif(WEIGHTS is None, reason="FILEORGANIZER_TEST_IMAGE_MODEL names no model")
def test_the_real_towers_tell_red_from_blue(tmp_path: Path):
    from models.ai.openclip import OpenClipEmbedder

    shelf = Shelf(tmp_path)
    pull(str(WEIGHTS), shelf)
    embedder = OpenClipEmbedder(*shelf.require(str(WEIGHTS)), threads=1)
    sink = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(sink, "PNG")
    (seen,) = numbers(embedder.embed_images([sink.getvalue()]))
    red, blue = numbers(embedder.embed_texts(["a plain red picture", "a plain blue picture"]))
    assert seen @ red > seen @ blue
