"""Which learned models a machine has: opened, or in words why not. The one door to `models.ai`."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from models.ai.pulling import pull
from models.ai.registry import LOCAL_DIR, OFF, REGISTRY, ModelCard
from models.ai.sentences import SentenceEmbedder
from models.ai.shelf import Shelf, Shelved
from models.domain.embeddings import Embedder, ImageEmbedder
from models.domain.errors import FileOrganizerError
from models.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """One model of the registry, or of the settings, or on the shelf.

    Attributes:
        card: None where it is not of the registry.
        shelved: None where its weights are not here.
        wrong: files that are gone or damaged; empty when all is well or it was not looked at.
    """

    name: str
    card: ModelCard | None
    shelved: Shelved | None
    is_used: bool
    wrong: tuple[str, ...] = ()


def shelf_of(settings: Settings) -> Shelf:
    """Return where models are kept."""
    return Shelf(settings.models_path)


def model_states(settings: Settings, *, verify: bool = False) -> list[ModelState]:
    """Return what is known, used or kept, by name; with every file read again when asked.

    Raises:
        CorruptError: a model's own list of files cannot be read.
    """
    shelf = shelf_of(settings)
    used = {name for name in (settings.text_model, settings.image_model) if name != OFF}
    kept = {shelved.name: shelved for shelved in shelf.all()}
    return [
        ModelState(
            name=name,
            card=REGISTRY.get(name),
            shelved=kept.get(name),
            is_used=name in used,
            wrong=tuple(shelf.verify(kept[name])) if verify and name in kept else (),
        )
        for name in sorted({*REGISTRY, *used, *kept})
    ]


def pull_model(name: str, settings: Settings, *, source: Path | None, again: bool) -> Shelved:
    """Return a model that is on the shelf now, fetched unless it was there whole.

    Raises:
        FileOrganizerError: of `models.ai.pulling.pull`.
    """
    shelf = shelf_of(settings)
    found = shelf.find(name)
    if found is not None and not again and not shelf.verify(found):
        return found
    return pull(name, shelf, source=source)


def text_embedder(settings: Settings) -> Embedder:
    """Return the sentence model of the settings; opened once for a process.

    Raises:
        MissingError: its weights are not here; the text says what to do.
        CorruptError: they are damaged.
    """
    threads = settings.work_threads or os.cpu_count() or 1
    return _sentence_embedder(settings.models_path, settings.text_model, threads)


@cache
def _sentence_embedder(folder: Path, name: str, threads: int) -> Embedder:
    shelf = Shelf(folder)
    if name.startswith(LOCAL_DIR) and shelf.find(name) is None:
        pull(name, shelf)  # it is on this machine already: made ready at its first use
    return SentenceEmbedder(*shelf.require(name), threads=threads)


def image_embedder(settings: Settings) -> ImageEmbedder:
    """Return the OpenCLIP model of the settings; opened once for a process.

    Raises:
        MissingError: its weights are not here; the text says what to do.
        CorruptError: they are damaged.
    """
    threads = settings.work_threads or os.cpu_count() or 1
    return _image_embedder(settings.models_path, settings.image_model, threads)


@cache
def _image_embedder(folder: Path, name: str, threads: int) -> ImageEmbedder:
    from models.ai.openclip import OpenClipEmbedder

    shelf = Shelf(folder)
    if name.startswith(LOCAL_DIR) and shelf.find(name) is None:
        pull(name, shelf)
    return OpenClipEmbedder(*shelf.require(name), threads=threads)


def picture_problem(settings: Settings) -> str | None:
    """Return in words why pictures are not understood here; None where they are."""
    if settings.image_model == OFF:
        return "the image model is turned off"
    try:
        image_embedder(settings)
    except FileOrganizerError as error:
        return str(error)
    return None


def text_problem(settings: Settings) -> str | None:
    """Return in words why texts are not understood here; None where they are."""
    if settings.text_model == OFF:
        return "the sentence model is turned off"
    try:
        text_embedder(settings)
    except FileOrganizerError as error:
        return str(error)
    return None
