"""Evidence in words: what a model is told of a content, out of the text that was read of it."""

from models.domain.embeddings import EVIDENCE_VERSION, TextContent, TextEvidence, TextSource
from models.domain.sampling import sampled
from models.domain.search import SCAN_VERSION, ContentText


def evidence_of(content: TextContent, kept: ContentText | None) -> TextEvidence:
    """Return a content's evidence; without any where nobody could read it.

    Args:
        content: which.
        kept: the text that was read of it; one read serves searches and models alike.
    """
    text = sampled(kept.sample) if kept else ""
    read_as = TextSource.OCR if kept and kept.version >= SCAN_VERSION else TextSource.TEXT
    return TextEvidence(
        sha256=content.sha256,
        version=EVIDENCE_VERSION,
        title=content.title,
        text=text,
        source=read_as if text else TextSource.NONE,
        problem=kept.problem if kept else None,
    )
