"""What files say, to be searched: text by content, words by file; and what people corrected."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from models.tables.base import Base, count, created, reference, updated


class ContentTextRow(Base):
    """The text of one content, whoever has it."""

    __tablename__ = "content_texts"
    __table_args__ = (
        CheckConstraint("characters >= 0", name="positive_characters"),
        {
            "comment": "Text of contents, read once. Reached only through a file of the account "
            "that asks; goes when no file has the content any more."
        },
    )

    sha256: Mapped[str] = mapped_column(
        String(64), primary_key=True, comment="Content, 64 hexadecimal digits."
    )
    version: Mapped[int] = count("Version of the reader; a newer one reads again.")
    title: Mapped[str | None] = mapped_column(comment="Title or subject the content states.")
    sample: Mapped[str] = mapped_column(
        server_default="", comment="Its text, from the beginning; empty when there is none."
    )
    characters: Mapped[int] = count("Characters of the whole text.")
    problem: Mapped[str | None] = mapped_column(comment="Why there is no text, in words.")
    created_at: Mapped[datetime] = created("When it was read.")


class SearchDocumentRow(Base):
    """What one file is found by."""

    __tablename__ = "search_documents"
    __table_args__ = (
        Index("idx_search_documents_words", "words", postgresql_using="gin"),
        Index(
            "idx_search_documents_names",
            "names",
            postgresql_using="gin",
            postgresql_ops={"names": "gin_trgm_ops"},
        ),
        Index("idx_search_documents_root", "root_id"),
        Index("idx_search_documents_user", "user_id"),
        {"comment": "Words that files are found by; made again for files that changed."},
    )

    file_id: Mapped[str] = reference(
        "File.", ForeignKey("files.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[str] = reference("Whose it is.", ForeignKey("users.id", ondelete="CASCADE"))
    root_id: Mapped[str] = reference("Storage root it lives in.", ForeignKey("storage_roots.id"))
    made_of: Mapped[str] = mapped_column(
        String(32), comment="Digest of everything the words were made of; equal means up to date."
    )
    names: Mapped[str] = mapped_column(
        Text(), comment="Name and folders as lower-case words, for misspelled queries."
    )
    words: Mapped[str] = mapped_column(
        TSVECTOR(), comment="Name (A), title and tags (B), category and folders (C), text (D)."
    )
    indexed_at: Mapped[datetime] = updated()


class ContentLabelRow(Base):
    """What one account said a content is."""

    __tablename__ = "content_labels"
    __table_args__ = (
        CheckConstraint("source IN ('review', 'csv')", name="valid_label_source"),
        {
            "comment": "Corrections of categories. Keyed by content, so that they survive renames, "
            "moves and other storages."
        },
    )

    user_id: Mapped[str] = reference(
        "Who said so.", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    sha256: Mapped[str] = mapped_column(
        String(64), primary_key=True, comment="Content, 64 hexadecimal digits."
    )
    category: Mapped[str] = mapped_column(String(100), comment="Id of the first level.")
    subcategory: Mapped[str | None] = mapped_column(
        String(100), comment="Id of the second level; null when none was named."
    )
    source: Mapped[str] = mapped_column(
        String(20), server_default="review", comment="`review` at the terminal, or `csv`."
    )
    labeled_at: Mapped[datetime] = created("When it was said last.")
