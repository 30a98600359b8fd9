"""Pictures a CPU second, by a ViT-B-32-256 with random weights: for its speed alone."""

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.categorize.kinds import truth_of
from models.domain.taxonomy import Category, Taxonomy, Topic
from tasks.categorize.understanding import judge_of, judged_pictures
from tasks.categorize.vectors import Vectors
from warehouse.store.parts import open_lake

NAME = "ViT-B-32-256"
PICTURES = 100
SIDE = 256


def random_model(folder: Path) -> str:
    """Write the model in OpenCLIP's own format and return the name it is pulled by."""
    from models.ai.torchvision_guard import import_torchvision

    import_torchvision()
    import open_clip
    import torch

    torch.manual_seed(0)
    model: Any = open_clip.create_model(NAME, pretrained=None)
    shape = {"model_cfg": open_clip.get_model_config(NAME), "preprocess_cfg": {}}
    prepared: Any = open_clip.get_model_preprocess_cfg(model)
    shape["preprocess_cfg"] = {
        name: prepared[name] for name in ("size", "mean", "std", "interpolation", "resize_mode")
    }
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps(shape))
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    return f"local-dir:{folder}"


def thumbnails(collection: Path) -> dict[str, bytes]:
    """Return pictures of the collection as thumbnails, by content."""
    from PIL import Image

    found: dict[str, bytes] = {}
    for path, row in sorted(truth_of(collection).items()):
        if row["kind"] != "image" or row["ext"] not in {"jpg", "png"} or len(found) == PICTURES:
            continue
        with Image.open(collection / path) as picture:
            small = picture.convert("RGB")
        small.thumbnail((SIDE, SIDE))
        sink = io.BytesIO()
        small.save(sink, "WEBP", quality=75)
        found[row["sha256"]] = sink.getvalue()
    return found


def picture_speed(collection: Path) -> list[str]:
    """Return pictures a CPU second of the whole pipeline beside those of the bare model."""
    from models.ai.openclip import OpenClipEmbedder
    from models.ai.pulling import pull
    from models.ai.shelf import Shelf

    pictures = thumbnails(collection)
    with TemporaryDirectory() as scratch:
        name, shelf = random_model(Path(scratch) / "model"), Shelf(Path(scratch) / "models")
        pull(name, shelf)
        embedder: Any = OpenClipEmbedder(*shelf.require(name), threads=1)
        images, preprocessing = embedder._images, embedder._preprocessing  # noqa: SLF001 - the bare one
        is_small = bool(shelf.require(name)[0].facts["is_quantized"])

        def bare() -> None:
            for picture in pictures.values():
                images.run(None, {"pixels": preprocessing.pixels(picture)[None]})

        vectors = Vectors(open_lake(str(Path(scratch) / "lake")), embedder)
        topic = Topic(name="Photos", image_prompts=("a photo of a cat", "a photo of a city"))
        other = Topic(name="Scans", image_prompts=("a scan of a page",))
        taxonomy = Taxonomy(categories=(Category(topic=topic), Category(topic=other)))
        judge = judge_of(vectors, taxonomy, [], pictures=True)
        if judge is None:
            raise AssertionError("it has sentences")

        def whole() -> None:
            judged_pictures(
                pictures, vectors, embedder, judge, review_below=0.5, made_by=str(time.time_ns())
            )

        bare()
        first, plain = _cpu_s(whole), _cpu_s(bare)
    rate, plain_rate = len(pictures) / first, len(pictures) / plain
    bits = "eight" if is_small else "32"
    return [
        (
            f"Pictures a CPU second, {NAME} with random weights in {bits} bits, their decoding "
            f"included: {rate:.1f} with vectors kept, decisions and reasons, {plain_rate:.1f} by "
            f"the bare model: {rate / plain_rate:.2f} of it."
        )
    ]


def _cpu_s(work: Callable[[], None]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
