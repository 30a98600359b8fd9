"""OpenCLIP models: exported once from torch, then run without it.

On one core a ViT-B-32-256 sees 7.8 pictures a CPU second in torch, 16 in ONNX Runtime and 42 with
matrices in eight bits. Whether eight bits are good enough is looked at when a model is pulled, on
its own weights. Weights are never random: OpenCLIP is told to require them.
"""

import hashlib
import importlib
import io
import json
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ai.pixels import Preprocessing
from models.ai.registry import LOCAL_DIR, REGISTRY, ModelKind
from models.ai.sentences import model_id, quantize
from models.ai.shelf import Shelf, Shelved
from models.ai.torchvision_guard import import_torchvision
from models.domain.errors import BrokenError, InvalidError, MissingError

IMAGE_TOWER, TEXT_TOWER = "image.onnx", "text.onnx"
OPSET = 18
LEAST_COSINE = 0.99
"""Between vectors of eight and of 32 bits, for the eight to be used."""
LARGEST_DIFFERENCE = 1e-4
"""Between a tower in torch and its export, on vectors of length 1: rounding is 1e-6."""


def pull_openclip(name: str, shelf: Shelf) -> Shelved:
    """Load a model by OpenCLIP, export both towers, check them and put them on the shelf.

    Args:
        name: `NAME/TAG` (fetched by OpenCLIP), `NAME@CHECKPOINT`, or `local-dir:` and a folder with
            `open_clip_config.json`.
        shelf: where to.

    Raises:
        MissingError: the extra is not installed, or the weights are not to be had.
        BrokenError: an export does not do what the model does.
    """
    model, config_name = _loaded(name)
    return shelf.put(lambda building: _exported(name, model, config_name, building), name)


def _open_clip() -> Any:
    """Return the library.

    Raises:
        MissingError: the extra is not installed.
    """
    try:
        import_torchvision()
        return importlib.import_module("open_clip")
    except ImportError as error:
        raise MissingError(
            f"towers for pictures need `pip install 'fileorganizer[clip]'` ({error})"
        ) from error


def _loaded(name: str) -> tuple[Any, str]:
    """Return the model with its weights, and what its tokenizer is known by."""
    open_clip = _open_clip()
    if name.startswith(LOCAL_DIR):
        config_name, weights = name, None
    elif "@" in name:
        config_name, _, weights = name.partition("@")
        if not Path(weights).is_file():
            raise MissingError(f"there is no checkpoint at {weights}")
    else:
        config_name, _, weights = name.rpartition("/")
    try:
        model = open_clip.create_model(config_name, pretrained=weights, require_pretrained=True)
    except (RuntimeError, OSError, ValueError, KeyError, FileNotFoundError) as error:
        raise MissingError(f"OpenCLIP has no weights for {name}: {error}") from error
    return model.eval(), config_name


def _exported(name: str, model: Any, config_name: str, building: Path) -> Shelved:
    open_clip, torch = _open_clip(), importlib.import_module("torch")
    preprocessing = Preprocessing.from_config(open_clip.get_model_preprocess_cfg(model))
    tokenizer = open_clip.get_tokenizer(config_name)
    ids = tokenizer(["a photo of a cat", "an invoice"])
    height, width = preprocessing.size
    noise = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    _export(model, "encode_text", {"ids": ids}, building / TEXT_TOWER)
    _export(model, "encode_image", {"pixels": noise}, building / IMAGE_TOWER)
    cosine = _quantize(building / IMAGE_TOWER, preprocessing)
    dimension = int(_run(_session(building / TEXT_TOWER, 1), "ids", ids.numpy()).shape[1])
    card = REGISTRY.get(name)
    weights_sha256 = _weights_sha256(model)
    prepared = {
        **asdict(preprocessing),
        "tokenizer": config_name,
        "is_quantized": cosine >= LEAST_COSINE,
    }
    preprocessing_sha256 = hashlib.sha256(json.dumps(prepared, sort_keys=True).encode()).hexdigest()
    short = Path(name.removeprefix(LOCAL_DIR).partition("@")[0]).name if card is None else name
    return Shelved(
        name=name,
        model_id=model_id(short, weights_sha256, preprocessing_sha256),
        kind=ModelKind.OPENCLIP,
        dimension=dimension,
        licence=card.licence if card else "yours",
        weights_sha256=weights_sha256,
        preprocessing_sha256=preprocessing_sha256,
        facts={**prepared, "eight_bit_cosine": round(cosine, 5)},
    )


def _export(model: Any, method: str, inputs: dict[str, Any], path: Path) -> None:
    """Write one tower, its vectors of length 1, and compare it with the original.

    Raises:
        BrokenError: they differ.
    """
    torch = importlib.import_module("torch")

    ((name, example),) = inputs.items()

    class Tower(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, value: Any) -> Any:
            return torch.nn.functional.normalize(getattr(self.model, method)(value), dim=-1)

    tower = Tower().eval()
    with torch.no_grad():
        wanted = tower(example).numpy()
    # With gradients, because without them attention becomes an operator that ONNX has not.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its tracer warns of shapes that do not change here
        torch.onnx.export(
            tower,
            (example,),
            str(path),
            input_names=[name],
            output_names=["vectors"],
            dynamic_axes={name: {0: "batch"}, "vectors": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
    found = _run(_session(path, 1), name, example.numpy())
    if np.abs(found - wanted).max() > LARGEST_DIFFERENCE:
        raise BrokenError(f"the export of {path.stem} does not do what the model does")


def _quantize(path: Path, preprocessing: Preprocessing) -> float:
    """Put eight bits in place of the tower if they are as good; return the least cosine."""
    small = path.with_name("small.onnx")
    quantize(path, small, ["MatMul", "Gemm"])
    exact, rough = _session(path, 1), _session(small, 1)
    seen = [preprocessing.pixels(picture)[None] for picture in _pictures()]
    cosines = [
        float((_run(exact, "pixels", one) * _run(rough, "pixels", one)).sum()) for one in seen
    ]
    if min(cosines) >= LEAST_COSINE:
        small.replace(path)
    else:
        small.unlink()
    return min(cosines)


def _pictures() -> list[bytes]:
    """Return eight pictures of shapes and shades, always the same."""
    from PIL import Image, ImageDraw, ImageFilter

    found: list[bytes] = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        picture = Image.fromarray(rng.integers(0, 256, (8, 8, 3)).astype(np.uint8))
        picture = picture.resize((320, 240), Image.Resampling.BICUBIC)
        draw = ImageDraw.Draw(picture)
        for _ in range(6):
            x, y, w, h = (int(v) for v in rng.integers(0, 200, 4))
            color = tuple(int(v) for v in rng.integers(0, 256, 3))
            (draw.ellipse if seed % 2 else draw.rectangle)((x, y, x + w, y + h), fill=color)
        sink = io.BytesIO()
        picture.filter(ImageFilter.GaussianBlur(seed % 3)).save(sink, "PNG")
        found.append(sink.getvalue())
    return found


def _weights_sha256(model: Any) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    runtime: Any = onnxruntime  # its stubs lack what it loads from its library
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _run(session: Any, name: str, value: NDArray[Any]) -> NDArray[np.float32]:
    (vectors,) = session.run(["vectors"], {name: value})
    return vectors


class OpenClipEmbedder:
    """Both towers, ready; safe to use from many threads. torch is loaded for no picture.

    Pictures and texts are runs of their own, so a vector never depends on its neighbors.

    Attributes:
        threads: items in work at a time.
    """

    def __init__(self, shelved: Shelved, folder: Path, *, threads: int) -> None:
        facts = {name: shelved.facts[name] for name in Preprocessing.__slots__}
        self._preprocessing = Preprocessing.from_config(facts)
        self._images = _session(folder / IMAGE_TOWER, 1)
        self._folder = folder
        self._shelved = shelved
        self._texts: Any = None
        self.threads = threads

    @property
    def model_id(self) -> str:
        """Name of the vectors."""
        return self._shelved.model_id

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self._shelved.dimension

    def embed_images(self, images: Sequence[bytes]) -> list[bytes]:
        """Return the vectors of (n,) encoded pictures.

        Raises:
            InvalidError: one of them is no picture.
        """
        with ThreadPoolExecutor(self.threads, thread_name_prefix="embedding") as pool:
            return list(pool.map(self._seen, images))

    def _seen(self, picture: bytes) -> bytes:
        return self._bytes(_run(self._images, "pixels", self._preprocessing.pixels(picture)[None]))

    def embed_texts(self, texts: Sequence[str]) -> list[bytes]:
        """Return the vectors of (n,) texts; the tokenizer is OpenCLIP's and loads torch.

        Raises:
            MissingError: the extra is not installed.
        """
        if not texts:
            return []
        if self._texts is None:
            tokenizer = _open_clip().get_tokenizer(str(self._shelved.facts["tokenizer"]))
            self._texts = (tokenizer, _session(self._folder / TEXT_TOWER, self.threads))
        tokenizer, session = self._texts
        return [self._bytes(_run(session, "ids", tokenizer([text]).numpy())) for text in texts]

    @staticmethod
    def _bytes(vectors: NDArray[np.float32]) -> bytes:
        if not np.isfinite(vectors).all():
            raise InvalidError("the model overflowed")
        return vectors[0].astype("<f4").tobytes()
