"""Thumbnails in the lake, by the content they show."""

from models.domain.errors import MissingError
from tasks.fingerprint.core import thumbnail_uri
from warehouse.store.parts import Lake


class LakeThumbnails:
    """`thumbnails/<first two digits>/<sha256>.webp`; one picture however many copies there are."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def has(self, sha256: str) -> bool:
        """Return whether the thumbnail of a content was made already."""
        try:
            self._lake.read_blob(thumbnail_uri(sha256))
        except MissingError:
            return False
        return True

    def put(self, sha256: str, picture: bytes) -> None:
        """Keep a thumbnail; equal contents have equal ones."""
        self._lake.write_blob(thumbnail_uri(sha256), picture)
