"""Texts of contents, each read once whoever asks for it: for searches, and as evidence."""

from collections.abc import Sequence

from models.domain.embeddings import TextContent
from models.domain.errors import MissingError
from models.domain.fingerprint import Problem
from models.domain.search import SCAN_VERSION, TEXT_VERSION, ContentText
from models.settings import Settings
from storage.opening import open_store
from tasks.fingerprint.children import parsing_limits, shared_pool
from tasks.fingerprint.core import thumbnail_uri
from tasks.fingerprint.perceptual.documents import PDF
from tasks.fingerprint.scans import looks_written, scan_limits
from tasks.fingerprint.texts import read_texts
from tasks.ledger.ledger import Ledger, open_ledger
from warehouse.store.parts import open_lake

_PASSING = (Problem.DEFERRED, Problem.UNREADABLE)
"""Problems that may be gone the next time: such a content is tried again."""


class TextReading:
    """The texts of one root's files.

    Attributes:
        scans: whether the texts are in pixels.
    """

    def __init__(self, settings: Settings, root_id: str, *, scans: bool) -> None:
        self._settings = settings
        self._root_id = root_id
        self.scans = scans

    def read(self, wanted: Sequence[TextContent]) -> int:
        """Read and keep the texts of those contents that nobody read yet; returns how many.

        Raises:
            BusyError: the storage is occupied.
            BrokenError: no parsing child can be started.
        """
        with open_ledger(self._settings) as ledger:
            return self._read(ledger, wanted)

    def texts(self, wanted: Sequence[TextContent]) -> dict[str, ContentText]:
        """Return the texts of contents, by content, read where nobody did yet.

        Raises:
            BusyError: the storage is occupied.
            BrokenError: no parsing child can be started.
        """
        with open_ledger(self._settings) as ledger:
            self._read(ledger, wanted)
            return ledger.texts([content.sha256 for content in wanted])

    def _read(self, ledger: Ledger, wanted: Sequence[TextContent]) -> int:
        version = SCAN_VERSION if self.scans else TEXT_VERSION
        hashes = [content.sha256 for content in wanted]
        unread = set(ledger.unread(hashes, version=version))
        left = [content for content in wanted if content.sha256 in unread]
        rows: list[ContentText] = []
        if self.scans:
            left, rows = self._written(left)
        rows += self._made(ledger, left)
        return ledger.keep_texts(
            [row for row in rows if not any(each.is_kind_of(row.problem) for each in _PASSING)]
        )

    def _written(
        self, wanted: Sequence[TextContent]
    ) -> tuple[list[TextContent], list[ContentText]]:
        """Return the scans that are worth reading, and the empty texts of the other pictures."""
        settings = self._settings
        lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
        kept: list[TextContent] = []
        others: list[ContentText] = []
        for content in wanted:
            try:
                is_worth = content.label in PDF or looks_written(
                    lake.read_blob(thumbnail_uri(content.sha256))
                )
            except MissingError:
                continue  # its thumbnail was cleared away; it is made again with the next index
            if is_worth:
                kept.append(content)
            else:
                others.append(ContentText(sha256=content.sha256, version=SCAN_VERSION))
        return kept, others

    def _made(self, ledger: Ledger, left: Sequence[TextContent]) -> list[ContentText]:
        if not left:
            return []
        settings = self._settings
        limits = scan_limits(settings) if self.scans else parsing_limits(settings)
        return read_texts(
            left,
            source=open_store(
                ledger.root(self._root_id).url, s3_endpoint_url=settings.s3_endpoint_url
            ),
            parser=shared_pool(limits),
            threads=limits.children,
            scans=self.scans,
        )
