"""Tiny models with random weights, in the very formats of the real ones. Tests only."""

import json
import struct
from pathlib import Path

import numpy as np

WORDS = "invoice amount due pay total number patient blood result contract party agree flour oven"


def write_safetensors(tensors: dict[str, np.ndarray], path: Path) -> None:
    header, blobs, at = {}, [], 0
    for name, value in tensors.items():
        data = np.ascontiguousarray(value, "<f4").tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(value.shape),
            "data_offsets": [at, at + len(data)],
        }
        blobs.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def bert_weights(*, layers: int, width: int, words: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)

    def matrix(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.2, shape).astype(np.float32)

    def norm(name: str) -> dict[str, np.ndarray]:
        return {f"{name}.weight": 1 + matrix(width), f"{name}.bias": matrix(width)}

    def linear(name: str, rows: int, columns: int) -> dict[str, np.ndarray]:
        return {f"{name}.weight": matrix(rows, columns), f"{name}.bias": matrix(rows)}

    found = {
        "embeddings.word_embeddings.weight": matrix(words, width),
        "embeddings.position_embeddings.weight": matrix(64, width),
        "embeddings.token_type_embeddings.weight": matrix(2, width),
        **norm("embeddings.LayerNorm"),
    }
    for layer in range(layers):
        name = f"encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            found |= linear(f"{name}.attention.self.{part}", width, width)
        found |= linear(f"{name}.attention.output.dense", width, width)
        found |= norm(f"{name}.attention.output.LayerNorm")
        found |= linear(f"{name}.intermediate.dense", 4 * width, width)
        found |= linear(f"{name}.output.dense", width, 4 * width)
        found |= norm(f"{name}.output.LayerNorm")
    return found


def tiny_sentence_folder(folder: Path, *, layers: int = 2, width: int = 32) -> Path:
    """Write the three files of a sentence model with random weights."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = {w: n for n, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS.split()])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "hidden_size": width,
        "max_position_embeddings": 64,
    }
    (folder / "config.json").write_text(json.dumps(config))
    weights = bert_weights(layers=layers, width=width, words=len(vocabulary))
    write_safetensors(weights, folder / "model.safetensors")
    return folder


TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
PREPROCESSING = {
    "size": 32,
    "mean": [0.5, 0.4, 0.3],
    "std": [0.2, 0.3, 0.4],
    "interpolation": "bicubic",
    "resize_mode": "squash",
}


def tiny_clip_folder(parent: Path) -> Path:
    """Write an OpenCLIP model with random weights in its own format; `checkpoint.pt` beside it."""
    from models.ai.torchvision_guard import import_torchvision

    import_torchvision()
    import open_clip
    import torch

    folder, configs = parent / "tiny", parent / "configs"
    folder.mkdir()
    configs.mkdir()
    config = {"model_cfg": TINY, "preprocess_cfg": PREPROCESSING}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    (configs / "tiny-test-model.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(configs)
    torch.manual_seed(1)
    model = open_clip.create_model("tiny-test-model", pretrained=None)
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    torch.save(model.state_dict(), parent / "checkpoint.pt")
    return folder
