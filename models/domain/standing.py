"""What holds of a root until something in it changes: where an index can begin, or end at once."""

from dataclasses import dataclass

from models.domain.table_refs import TableRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A finished listing of a root, by what it says.

    Attributes:
        digest: of every file's facts, of what could be no row, and of what lies at the root;
            equal digests are equal listings.
        manifest: rows of ManifestRow.
        problems: rows of ListingProblem.
        changed: rows of ManifestRow that had to be read.
        known: rows of Fingerprint that were carried over.
    """

    digest: str
    manifest: TableRef
    problems: TableRef
    changed: TableRef
    known: TableRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A root as a job that moved nothing in it left it, published whole.

    While the root lists the same, its files need no second reading; while what indexing gives and
    how it is published are the same too, publishing it again would change nothing.

    Attributes:
        listing: digest of the listing.
        recipe: digest of how files become rows of the catalog and of the warehouse.
        manifest, problems, fingerprints, categories, duplicates: what indexing gave.
        rows: CatalogRow: all its files.
        members: DuplicateRow: all its groups.
        index: Fingerprint: its index; `fingerprints` by another name.
        files_bytes: size of all files.
    """

    listing: str
    recipe: str
    manifest: TableRef
    problems: TableRef
    fingerprints: TableRef
    categories: TableRef
    duplicates: TableRef
    rows: TableRef
    members: TableRef
    index: TableRef
    files_bytes: int
