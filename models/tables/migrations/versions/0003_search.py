"""What files say, to be searched, and what people corrected."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


CONFIGURATIONS = """
CREATE TEXT SEARCH CONFIGURATION fileorganizer_text (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION fileorganizer_text
    ALTER MAPPING FOR hword, hword_part, word WITH unaccent, english_stem;
CREATE TEXT SEARCH CONFIGURATION fileorganizer_name (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION fileorganizer_name
    ALTER MAPPING FOR hword, hword_part, word WITH unaccent, simple;
"""


def upgrade() -> None:
    """Make the tables; `unaccent` is trusted, as the two extensions of the first revision are."""
    op.execute("CREATE EXTENSION IF NOT EXISTS unaccent")
    op.execute(CONFIGURATIONS)
    op.create_table(
        "content_texts",
        sa.Column(
            "sha256",
            sa.String(length=64),
            nullable=False,
            comment="Content, 64 hexadecimal digits.",
        ),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Version of the reader; a newer one reads again.",
        ),
        sa.Column(
            "title", sa.Text(), nullable=True, comment="Title or subject the content states."
        ),
        sa.Column(
            "sample",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="Its text, from the beginning; empty when there is none.",
        ),
        sa.Column(
            "characters",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Characters of the whole text.",
        ),
        sa.Column("problem", sa.Text(), nullable=True, comment="Why there is no text, in words."),
        sa.Column(
            "created_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("CURRENT_TIMESTAMP"),
            nullable=False,
            comment="When it was read.",
        ),
        sa.CheckConstraint("characters >= 0", name="positive_characters"),
        sa.PrimaryKeyConstraint("sha256", name="pk_content_texts"),
        comment="Text of contents, read once. Reached only through a file of the account that asks; goes when no file has the content any more.",
    )
    op.create_table(
        "content_labels",
        sa.Column("user_id", sa.UUID(as_uuid=False), nullable=False, comment="Who said so."),
        sa.Column(
            "sha256",
            sa.String(length=64),
            nullable=False,
            comment="Content, 64 hexadecimal digits.",
        ),
        sa.Column(
            "category", sa.String(length=100), nullable=False, comment="Id of the first level."
        ),
        sa.Column(
            "subcategory",
            sa.String(length=100),
            nullable=True,
            comment="Id of the second level; null when none was named.",
        ),
        sa.Column(
            "source",
            sa.String(length=20),
            server_default="review",
            nullable=False,
            comment="`review` at the terminal, or `csv`.",
        ),
        sa.Column(
            "labeled_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("CURRENT_TIMESTAMP"),
            nullable=False,
            comment="When it was said last.",
        ),
        sa.CheckConstraint("source IN ('review', 'csv')", name="valid_label_source"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_content_labels_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "sha256", name="pk_content_labels"),
        comment="Corrections of categories. Keyed by content, so that they survive renames, moves and other storages.",
    )
    op.create_table(
        "search_documents",
        sa.Column("file_id", sa.UUID(as_uuid=False), nullable=False, comment="File."),
        sa.Column("user_id", sa.UUID(as_uuid=False), nullable=False, comment="Whose it is."),
        sa.Column(
            "root_id", sa.UUID(as_uuid=False), nullable=False, comment="Storage root it lives in."
        ),
        sa.Column(
            "made_of",
            sa.String(length=32),
            nullable=False,
            comment="Digest of everything the words were made of; equal means up to date.",
        ),
        sa.Column(
            "names",
            sa.Text(),
            nullable=False,
            comment="Name and folders as lower-case words, for misspelled queries.",
        ),
        sa.Column(
            "words",
            postgresql.TSVECTOR(),
            nullable=False,
            comment="Name (A), title and tags (B), category and folders (C), text (D).",
        ),
        sa.Column(
            "indexed_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("CURRENT_TIMESTAMP"),
            nullable=False,
            comment="When the row was last changed.",
        ),
        sa.ForeignKeyConstraint(
            ["file_id"], ["files.id"], name="fk_search_documents_file_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["root_id"], ["storage_roots.id"], name="fk_search_documents_root_id"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_search_documents_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("file_id", name="pk_search_documents"),
        comment="Words that files are found by; made again for files that changed.",
    )
    op.create_index(
        "idx_search_documents_names",
        "search_documents",
        ["names"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"names": "gin_trgm_ops"},
    )
    op.create_index("idx_search_documents_root", "search_documents", ["root_id"], unique=False)
    op.create_index("idx_search_documents_user", "search_documents", ["user_id"], unique=False)
    op.create_index(
        "idx_search_documents_words",
        "search_documents",
        ["words"],
        unique=False,
        postgresql_using="gin",
    )


def downgrade() -> None:
    """Drop everything but the extension; vectors go too, the lake has them."""
    op.execute("DROP SCHEMA IF EXISTS vectors CASCADE")
    op.drop_table("search_documents")
    op.drop_table("content_labels")
    op.drop_table("content_texts")
    op.execute("DROP TEXT SEARCH CONFIGURATION fileorganizer_name")
    op.execute("DROP TEXT SEARCH CONFIGURATION fileorganizer_text")
