"""Models on this machine: each in a folder of its own, with the checksums of its files."""

import json
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from models.ai.weights import file_sha256
from models.domain.errors import BrokenError, CorruptError, MissingError

CARD = "card.json"
"""The file that lists the others, written last: a folder without it was not finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """A model as it was put there.

    Attributes:
        name: as settings call it.
        model_id: of the vectors it makes: name, weights, and what is done around them.
        kind: what reads it.
        dimension: numbers of a vector.
        licence: SPDX id.
        weights_sha256: of the weights as they were published.
        preprocessing_sha256: of what is done before them.
        files: SHA-256 by name of every file of the folder.
        facts: what its reader needs to know besides.
    """

    name: str
    model_id: str
    kind: str
    dimension: int
    licence: str
    weights_sha256: str
    preprocessing_sha256: str
    files: dict[str, str] = field(default_factory=dict[str, str])
    facts: dict[str, Any] = field(default_factory=dict[str, Any])


class Shelf:
    """`<folder>/<name with -- for />/`: one folder for each model.

    Attributes:
        folder: where; made when the first model is put there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, name: str) -> Path:
        """Return where the model of a name is, or would be."""
        return self.folder / name.replace("/", "--")

    def find(self, name: str) -> Shelved | None:
        """Return what is known of a model, or None: it is not here."""
        try:
            document = json.loads((self.place(name) / CARD).read_text(encoding="utf-8"))
            return Shelved(**document)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, TypeError, OSError) as error:
            raise CorruptError(f"the model {name} cannot be read: {error}") from error

    def require(self, name: str) -> tuple[Shelved, Path]:
        """Return a model and its folder, every file checked.

        Raises:
            MissingError: it is not here; the text says how to get it.
            CorruptError: a file is not what it was.
        """
        shelved = self.find(name)
        if shelved is None:
            raise MissingError(
                f"the weights of {name} are not on this machine: `fileorganizer models pull {name}`"
            )
        if wrong := self.verify(shelved):
            raise CorruptError(
                f"the model {name} is damaged ({', '.join(wrong)}): "
                f"`fileorganizer models pull {name} --again`"
            )
        return shelved, self.place(name)

    def verify(self, shelved: Shelved) -> list[str]:
        """Return the files that are gone or not what they were, sorted."""
        place = self.place(shelved.name)
        return [
            name
            for name, digest in sorted(shelved.files.items())
            if not (place / name).is_file() or file_sha256(place / name) != digest
        ]

    def all(self) -> list[Shelved]:
        """Return every model that is here, by name."""
        names = sorted(path.parent.name for path in self.folder.glob(f"*/{CARD}"))
        found = [self.find(name) for name in names]
        return [each for each in found if each is not None]

    def put(self, describe: Callable[[Path], Shelved], name: str) -> Shelved:
        """Fill a new folder and put it in place of the old one, whole or not at all.

        Args:
            describe: fills the folder it is given and returns what it put there, without `files`.
            name: of the model.

        Raises:
            BrokenError: the folder cannot be written.
        """
        building = self.folder / f".{uuid.uuid4().hex}"
        target = self.place(name)
        try:
            building.mkdir(parents=True)
            shelved = describe(building)
            files = {path.name: file_sha256(path) for path in sorted(building.iterdir())}
            document: Mapping[str, Any] = {**asdict(shelved), "files": files}
            (building / CARD).write_text(json.dumps(document, indent=1), encoding="utf-8")
            if target.exists():
                aside = self.folder / f".{uuid.uuid4().hex}"
                target.replace(aside)
                shutil.rmtree(aside, ignore_errors=True)
            building.replace(target)
        except OSError as error:
            raise BrokenError(f"the model {name} cannot be kept: {error}") from error
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return Shelved(**document)
