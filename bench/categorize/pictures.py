"""Pictures and films a CPU second, by a ViT-B-32-256 with random weights: for its speed alone."""

import io
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.categorize.kinds import truth_of
from bench.measure import Meter
from models.domain.embeddings import TextContent
from models.domain.fingerprint import Fingerprint, Media
from models.domain.taxonomy import Category, Taxonomy, Topic
from storage.opening import canonical_url, open_store
from tasks.categorize.understanding import judge_of, judged_looks, judged_pictures
from tasks.categorize.vectors import Vectors
from tasks.fingerprint.children import ParserPool
from tasks.fingerprint.keyframes import FRAMES, keyframes_of
from tasks.fingerprint.nursery import Limits
from tasks.fingerprint.parsing import labels_of
from warehouse.store.parts import open_lake

NAME = "ViT-B-32-256"
PICTURES = 100
FILMS = 40
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


def films_of(files: Sequence[Fingerprint]) -> list[TextContent]:
    """Return films of the collection."""
    labels = labels_of("video")
    found = [
        TextContent(
            sha256=row.sha256 or "",
            key=row.key,
            label=row.content_label,
            size_bytes=row.size_bytes,
            version=row.version,
        )
        for row in files
        if row.media == Media.VIDEO and row.content_label in labels and row.problem is None
    ]
    return list({each.sha256: each for each in found}.values())[:FILMS]


def frames_of(path: Path) -> list[bytes]:
    """Return frames of a film as one would take them by PyAV and Pillow, without more."""
    import av

    found: list[bytes] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.skip_frame = "NONKEY"
        duration_s = (container.duration or 0) / 1_000_000
        for part in range(FRAMES):
            at = duration_s * (part + 0.5) / FRAMES / (stream.time_base or 1)
            container.seek(round(at), stream=stream)
            frame = next(container.decode(stream), None)
            if frame is not None:
                picture, sink = frame.to_image(), io.BytesIO()
                picture.thumbnail((SIDE, SIDE))
                picture.save(sink, "WEBP", quality=75, method=0)
                found.append(sink.getvalue())
    return list(dict.fromkeys(found))


def film_speed(collection: Path, films: Sequence[TextContent], judge: Any, vectors: Any) -> str:
    """Return films a CPU second of the whole pipeline beside plain decoding and the bare model."""
    import av.error

    embedder: Any = vectors.embedder
    images, preprocessing = embedder._images, embedder._preprocessing  # noqa: SLF001 - the bare one
    store = open_store(canonical_url(str(collection)))
    limits = Limits(memory_bytes=1_000_000_000, cpu_s=10, children=1)

    def bare() -> int:
        seen = 0
        for film in films:
            try:
                frames = frames_of(collection / film.key)
            except (av.error.FFmpegError, IndexError, ValueError, TypeError):
                continue
            seen += bool(frames)
            for frame in frames:
                images.run(None, {"pixels": preprocessing.pixels(frame)[None]})
        return seen

    with ParserPool(limits) as parser:

        def whole() -> int:
            frames: defaultdict[str, list[bytes]] = defaultdict(list)
            for frame in keyframes_of(films, source=store, parser=parser, threads=1):
                frames[frame.sha256].append(frame.picture)
            made = vectors.of_films(frames, embedder, made_by=str(time.time_ns()))
            judged_looks(
                sorted(made),
                made,
                judge,
                dimension=embedder.dimension,
                what="a film",
                review_below=0.5,
            )
            return len(made)

        keyframes_of(films[:1], source=store, parser=parser, threads=1)  # starts the nursery
        bare()
        with Meter() as ours:
            seen = whole()
        with Meter() as plain:
            seen_plainly = bare()
    rate, plain_rate = seen / ours.cpu_s, seen_plainly / plain.cpu_s
    return (
        f"Films a CPU second, {FRAMES} frames each, by the same: {rate:.1f} with confined "
        f"children, vectors and reasons, {plain_rate:.1f} by PyAV, Pillow and the bare model: "
        f"{rate / plain_rate:.2f} of it ({seen} and {seen_plainly} films had frames)."
    )


def picture_speed(collection: Path, files: Sequence[Fingerprint]) -> list[str]:
    """Return pictures and films a CPU second of the pipeline beside those of the bare model."""
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
        films = film_speed(collection, films_of(files), judge, vectors)
    rate, plain_rate = len(pictures) / first, len(pictures) / plain
    bits = "eight" if is_small else "32"
    return [
        (
            f"Pictures a CPU second, {NAME} with random weights in {bits} bits, their decoding "
            f"included: {rate:.1f} with vectors kept, decisions and reasons, {plain_rate:.1f} by "
            f"the bare model: {rate / plain_rate:.2f} of it."
        ),
        films,
    ]


def _cpu_s(work: Callable[[], None]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
